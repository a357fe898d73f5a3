"""The log node: one durable member of a replicated log.

Decides: nothing itself; this is the map.
Reading order: model (the words), raft (consensus, pure), frames (what an entry looks like),
storage (what is durable), state (what the log means), driver (the one loop around them),
adapters (asyncio, threads, sockets), web (HTTP), app (wiring).
"""
