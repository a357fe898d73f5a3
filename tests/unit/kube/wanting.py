"""A log's children as tests want them: three members, unless a test says otherwise.

Decides: the common values. Must not know: what is tested.
Read next: test_pod.py.
"""

from typing import Any

from replog_operator.kube.children.wanted import Wanted


def wanted(**changes: Any) -> Wanted:
    """Three members of the log `orders`, with these fields changed."""
    plain = Wanted(
        name="orders",
        namespace="shop",
        uid="4f0b6c1e-0000-4000-8000-000000000003",
        replicas=3,
        image="replicated-log:1.0",
        claim_size="10Gi",
        template_size="10Gi",
        storage_class="standard",
        tolerates=1,
    )
    return plain._replace(**changes)
