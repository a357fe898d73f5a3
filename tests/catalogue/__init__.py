"""Known bugs of other replicated logs, each as a short scenario of ours, by the catalogue's number.

docs/bugs.md is the list; index.py holds it and the tests together.
"""
