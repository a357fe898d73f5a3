"""What every platform asks members and tells them, over their peer listeners.

Decides: nothing itself; this is the map. Must not know: Kubernetes, processes.
Read next: nodes.py (asking), orders.py (telling), outcomes.py (what became of it).
"""
