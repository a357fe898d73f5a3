"""HTTP over a service in memory: routes, refusals, limits."""
