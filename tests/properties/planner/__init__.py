"""The planner against a model of cluster and platform: crashes, lost disks, stale operators."""
