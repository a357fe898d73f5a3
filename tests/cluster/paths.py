"""Where the API has which kind of object.

Decides: nothing. Must not know: what the objects say.
Read next: api.py.
"""

CORE = "/api/v1"
APPS = "/apis/apps/v1"
POLICY = "/apis/policy/v1"
NETWORKING = "/apis/networking.k8s.io/v1"
EXTENSIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def of(group: str, namespace: str, plural: str, *name: str) -> str:
    """The objects of this kind in a namespace; with a name, one; with two, its subresource."""
    return "/".join((group, "namespaces", namespace, plural, *name))


def pods(namespace: str, *name: str) -> str:
    """The pods of a namespace, or one."""
    return of(CORE, namespace, "pods", *name)


def claims(namespace: str, *name: str) -> str:
    """The claims of a namespace, or one."""
    return of(CORE, namespace, "persistentvolumeclaims", *name)


def sets(namespace: str, *name: str) -> str:
    """The StatefulSets of a namespace, or one."""
    return of(APPS, namespace, "statefulsets", *name)
