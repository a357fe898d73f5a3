"""Properties, against a second implementation that is too simple to be wrong (naive.py)."""
