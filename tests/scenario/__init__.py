"""Behaviour as text: commands, and the whole outcome of each. Read next: script.py, testdata/."""
