"""What a ReplicatedLog asks for, as far as the planner looks at it.

Decides: which wishes steps can follow from; everything else of the resource is the platform's, and
reaches the planner only as a hash of the template that it makes.
Must not know: YAML, JSON, defaults (the resource's schema has them).
Read next: observed.py.
"""

from typing import NamedTuple


class LogSpec(NamedTuple):
    """The wishes. uid: of the resource, and the cluster's id when it is founded for it.

    replicas: members that there should be. storage_bytes: of each claim; 0 where the platform has
    no sizes. delete_data: retention `Delete`, the data goes with the resource. leader_last: update
    strategy `LeaderLast`; False is `OnDelete`, nobody is restarted by us. update_timeout_s: so long
    the first updated member is given to be well. deleting: the resource is on its way out.
    """

    name: str
    namespace: str
    uid: str
    generation: int
    replicas: int
    storage_bytes: int = 0
    delete_data: bool = False
    leader_last: bool = True
    update_timeout_s: float = 600.0
    suspend: bool = False
    hibernate: bool = False
    deleting: bool = False
