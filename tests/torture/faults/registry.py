"""All kinds of faults.

Read next: kinds.py.
"""

from tests.torture.faults.clocks import CLOCKS
from tests.torture.faults.damage import DAMAGE
from tests.torture.faults.disks import DISKS
from tests.torture.faults.membership import MEMBERSHIP
from tests.torture.faults.network import NETWORK
from tests.torture.faults.processes import PROCESSES
from tests.torture.faults.trims import TRIMS

FAULTS = (*PROCESSES, *NETWORK, *DISKS, *DAMAGE, *CLOCKS, *MEMBERSHIP, *TRIMS)
