"""What travels between clients and nodes: limits, codes, problems, JSON bodies, record batches.

Decides: the HTTP vocabulary. Must not know: the server or the client library.
Read next: codes.py, schemas.py, batches.py.
"""
