"""`replog up`: a replicated log as supervised processes of this machine.

Decides: nothing itself; this is the map. Must not know: Kubernetes.
Read next: command.py (what is asked for), supervisor.py (what keeps it running), reconcile.py (one
pass: look, plan, act).
"""
