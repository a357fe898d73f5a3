"""Settings, logs and metrics: what operators of a node touch."""
