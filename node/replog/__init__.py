"""What users of a replicated log import and type: wire schemas, client library, command line.

Decides: nothing itself; this is the map.
Read next: wire (what travels), client (the library), cli (the commands).
"""
