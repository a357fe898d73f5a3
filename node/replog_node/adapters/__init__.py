"""The node's hands: threads, sockets and clocks behind the driver's ports.

Decides: nothing about the log; only how its ports are carried out. The only place with asyncio
beside web/. Read next: service.py, peers.py, io_thread.py, clock.py.
"""
