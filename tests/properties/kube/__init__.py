"""Properties of the Kubernetes platform."""
