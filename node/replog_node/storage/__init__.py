"""What is durable: the member's identity, its vote, and its part of the log.

The folder is a synchronous machine over one flat directory (the Disk port, disk.py; real files are
in disk_os.py only). Store (store.py) is the one door: open_store recovers, write makes a batch of
the core's Persist effects durable with one fdatasync, read gives verified entries and may run
beside a write. Underneath, hardstate.py keeps two copies of term and vote, identity.py who this
member is, and log.py the entries, in segments (segment.py) of blocks (blocks.py) of frames.

One step does all the hard work: *a segment is begun* (segment.begin). A new segment has a higher
sequence number than all before it and supersedes whatever older segments hold from its base on.
It is written under a temporary name, synced, renamed, and the directory synced, so it is there
whole or not at all. Rolling over, truncating and recovering are that one step with another base;
removing or shortening what it supersedes is only tidying and may be lost and repeated.

Decides: what is durable when, and what is believed after a crash.
Must not know: roles, messages, threads, time.
Read next: disk.py, blocks.py, segment.py, recovery.py, snapshots.py, store.py.
"""
