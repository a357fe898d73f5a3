"""What an entry of the log looks like in bytes: the frame.

A leader turns a payload into a frame once (build.py): a fixed header, then whole Kafka record
batches, the controls of the cluster first as a control batch of their own (controls.py). From then
on the bytes never change: they are sent, written, read back and served as they lie. The header
holds the chain (chain.py), a hash over the predecessor's chain and this frame, so a frame proves
its place: neither a stale frame nor a foreign one passes for a successor. Whoever takes bytes from
a disk or a peer decodes them (decode.py), which checks structure and every checksum first.

Decides: the bytes of an entry (layout.py has the tables) and when bytes are an entry.
Must not know: blocks, segments, files, messages, roles.
Read next: layout.py, build.py, decode.py.
"""
