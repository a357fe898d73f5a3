"""A real Kubernetes node for tests: upstream's own programs, in namespaces of their own.

- `versions` what is pinned, and where it is cached; `binaries` builds the programs, `images` the
  images
- `sandbox` the namespaces, `runs` a directory for each running cluster, and what dead ones left
- `certificates`, `configuration`, `daemons` what a node is made of
- `api`, `kubectl` how tests speak to it; `provisioner`, `netpol` the two parts that a single node
  without a cloud lacks: volumes, and the enforcement of network policies
- `node` puts it together; `python -m tests.cluster` runs one for a person

Read next: node.py, and docs/testing.md#the-cluster.
"""
