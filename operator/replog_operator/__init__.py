"""What keeps replicated logs as they were asked for: on this machine, later in Kubernetes.

Decides: nothing itself; this is the map. Must not know: the inside of a node (replog_node).
Read next: local (`replog up`).
"""
