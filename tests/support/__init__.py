"""What several kinds of tests share: simulated and lossy disks, running nodes."""
