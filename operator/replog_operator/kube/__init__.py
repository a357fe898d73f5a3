"""The platform of Kubernetes: what the planner decides, carried out by an API server.

children/ says how each object should look, observe.py what is, act.py does one step.
"""
