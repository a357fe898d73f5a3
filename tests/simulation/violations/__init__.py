"""What each oracle must see: at least one violation for each, made on purpose.

Read next: registry.py, ../test_oracles.py.
"""
