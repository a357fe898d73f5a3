"""What `replog up` remembers, as a value.

It is for the local platform what the API server's objects are for Kubernetes: how many processes
there should be and of which template, whose data each directory holds, and the epoch in charge.

Decides: which notes there are. Must not know: files (state.py), what changes them (hands.py).
Read next: state.py, observe.py.
"""

import msgspec


class Template(msgspec.Struct, frozen=True):
    """What a member's process is started from. settings: of the node, by name."""

    program: tuple[str, ...]
    settings: dict[str, int] = {}


class ClaimNote(msgspec.Struct, frozen=True, omit_defaults=True):
    """One member's directory; see model.observed.Claim. version: counts changes."""

    uid: str
    version: int = 1
    cluster_id: str = ""
    member_id: str = ""
    retired: bool = False
    terminating: bool = False


class WorkloadNote(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many processes there are, and their template; see model.observed.Workload."""

    uid: str
    replicas: int
    template: str
    version: int = 1
    good_template: str = ""
    bad_template: str = ""


class ProcessNote(msgspec.Struct, frozen=True):
    """What stands for a pod: a member's process and all that are started in its place when it dies,
    until another one is wanted."""

    uid: str
    template: str
    created_s: float


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """All of it. uid: of the resource, made once. resource: the file that is followed, absolute or
    within the directory. place: where the directory was when it was used last.

    fixed_replicas: given by `--replicas` for this run instead of the file's; 0: the file's count.
    cluster_id: of the log, once it was founded. templates: those that workload and good need, by
    hash. claims, processes: by ordinal. token_file: of the nodes.
    """

    uid: str
    resource: str
    client_port: int
    peer_port: int
    epoch: int = 0
    cluster_id: str = ""
    token_file: str = ""
    place: str = ""
    fixed_replicas: int = 0
    workload: WorkloadNote | None = None
    templates: dict[str, Template] = {}
    claims: dict[int, ClaimNote] = {}
    processes: dict[int, ProcessNote] = {}
