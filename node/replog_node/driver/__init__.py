"""The node without its senses: everything between the core and the outside, as plain calls.

The driver carries out the core's effects over the ports, admits and groups appends, forwards what
another member leads, confirms reads, applies what is committed and answers admin calls. It is
synchronous and keeps no clock, so the simulator runs it as it is.

Decides: when a caller is answered, and with what. Must not know: asyncio, sockets, files, HTTP.
Read next: driver.py (the order of a turn), kernel.py (the core's ports), callers.py (who waits for
what), appends.py (the main path).
"""
