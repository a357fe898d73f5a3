"""The chain: what ties each frame to all before it.

Decides: chain = BLAKE2b-128(predecessor's chain, the header's first 40 bytes, the batches'
digests); a log's first frame follows the seed, made from the cluster's id. With digest algorithm
0 the digest is a batch's own CRC-32C: that catches accidents, not forgers.
Must not know: where frames lie.
Read next: build.py, decode.py.
"""

from hashlib import blake2b
from struct import pack

from replog_node.frames.layout import CHAIN_BYTES
from replog_node.model.entries import Tail
from replog_node.model.positions import ORIGIN, ClusterId


def seed(cluster_id: ClusterId) -> bytes:
    """Return what the first frame of this cluster's log follows: 16 bytes."""
    return blake2b(cluster_id.encode(), digest_size=CHAIN_BYTES).digest()


def empty_tail(cluster_id: ClusterId) -> Tail:
    """Return the tail of this cluster's log while it is empty."""
    return Tail(position=ORIGIN, chain=seed(cluster_id), append_time_ms=0)


def link(previous: bytes, chained_header: bytes | memoryview, crcs: list[int]) -> bytes:
    """Return the chain of the frame with this header (40 bytes) and these batch checksums."""
    digest = blake2b(previous, digest_size=CHAIN_BYTES)
    digest.update(chained_header)
    digest.update(pack(f">{len(crcs)}I", *crcs))
    return digest.digest()
