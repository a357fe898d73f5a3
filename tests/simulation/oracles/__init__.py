"""The oracles: each knows one thing that must always be true, and says so when it isn't.

Each is a class in a file of its own; tests/simulation/test_oracles.py shows each of them fail.
Read next: oracle.py, ../checks.py (which puts them together).
"""
