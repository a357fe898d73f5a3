"""HTTP: the client listener and the peer listener of a node, over the Service it is given.

Decides: how requests become calls of the Service and its answers become responses.
Must not know: the driver, the core, storage; adapters.
Read next: app.py (what is served where), gate.py (what holds for every request), docs/api.md.
"""
