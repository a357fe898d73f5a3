"""Simulated clients: they write down what they did, when, and what they were told.

Read next: history.py (what is written down), client.py (what all share), then each kind.
"""
