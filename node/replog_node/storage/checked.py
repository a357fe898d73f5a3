"""Small files that prove themselves: a checksummed envelope around a JSON body.

Identity, hard state, segment headers and summaries are written this way. Big-endian:
  0 4 bytes kind · 4 u16 format version · 6 u16 zero · 8 u32 length of the body
 12 u32 CRC-32C over bytes 0 to 11 and the body · 16 the body
What follows the body (padding up to a sector) is not looked at.

Decides: the envelope. Must not know: what is in it.
Read next: identity.py, hardstate.py, segment.py.
"""

from struct import Struct
from typing import Final, TypeVar

import msgspec
from google_crc32c import value as crc32c

from replog_node.storage.blocks import BLOCK_ALIGNMENT
from replog_node.storage.disk import Disk, DiskError, Sync
from replog_node.storage.errors import FormatUnknown, NoRoom

Body = TypeVar("Body", bound=msgspec.Struct)

FORMAT_VERSION: Final = 1
"""Of every file of storage: raised when an older build would misread a newer one's files."""

ENVELOPE_BYTES: Final = 16
_PREFIX: Final = Struct(">4sHHI")
_CHECKSUM: Final = Struct(">I")


class Unsound(Exception):
    """The bytes are not what was written."""


def pack(kind: bytes, body: msgspec.Struct, *, padded_to: int = 0) -> bytes:
    """Return the body in its envelope, zero-filled up to `padded_to` bytes if that is given."""
    encoded = msgspec.json.encode(body)
    prefix = _PREFIX.pack(kind, FORMAT_VERSION, 0, len(encoded))
    whole = b"".join((prefix, _CHECKSUM.pack(crc32c(prefix + encoded)), encoded))
    if padded_to and len(whole) > padded_to:
        raise ValueError(f"{len(whole)} bytes don't fit into {padded_to}")
    return whole.ljust(padded_to, b"\0")


def unpack(kind: bytes, data: bytes, shape: type[Body], name: str) -> Body:
    """Return the body of these bytes of the file `name`.

    Raises Unsound, or FormatUnknown for a newer format: the envelope stays the same in all of
    them, so that a newer file and a damaged one can be told apart.
    """
    if len(data) < ENVELOPE_BYTES:
        raise Unsound(f"{len(data)} bytes are less than an envelope")
    found, version, _, length = _PREFIX.unpack_from(data)
    prefix, encoded = data[: _PREFIX.size], data[ENVELOPE_BYTES : ENVELOPE_BYTES + length]
    if found != kind or len(encoded) != length:
        raise Unsound("it is of another kind, or cut short")
    if _CHECKSUM.unpack_from(data, _PREFIX.size)[0] != crc32c(prefix + encoded):
        raise Unsound("its checksum doesn't match")
    if version != FORMAT_VERSION:
        raise FormatUnknown(
            f"{name} has format {version}, this build knows {FORMAT_VERSION}:"
            " start the build that wrote it, or a newer one"
        )
    try:
        return msgspec.json.decode(encoded, type=shape)
    except msgspec.MsgspecError as problem:
        raise Unsound(f"its body doesn't parse: {problem}") from problem


def read_whole(disk: Disk, name: str) -> bytes:
    """Return all bytes of a file. Raises DiskError."""
    file = disk.open(name)
    try:
        return file.read(0, file.size())
    finally:
        file.close()


def replace(disk: Disk, name: str, data: bytes, why: Sync) -> None:
    """Put a file with this content in place of any other so named: whole or not at all.

    Durable only after the caller's sync_directory. On a full disk a file of one sector, which a
    power loss keeps or loses whole, is overwritten where it lies; of another size nothing is
    changed. Raises NoRoom then, DiskError.
    """
    temporary = name + TEMPORARY
    try:
        file = disk.create(temporary, len(data))
    except DiskError as problem:
        if not problem.full:
            raise
        if not _overwritten(disk, name, data, why):
            raise NoRoom(f"the disk is full: {problem}") from problem
        return
    try:
        file.write(0, data)
        file.sync(why)
    finally:
        file.close()
    disk.rename(temporary, name)


def _overwritten(disk: Disk, name: str, data: bytes, why: Sync) -> bool:
    """Overwrite the file's first sector, durably, if `data` is one; else False.

    What may follow in the file is padding then, which nobody looks at.
    """
    if len(data) != BLOCK_ALIGNMENT or name not in disk.names():
        return False
    file = disk.open(name)
    try:
        if file.size() < BLOCK_ALIGNMENT:
            return False
        file.write(0, data)
        file.sync(why)
    finally:
        file.close()
    return True


TEMPORARY: Final = ".tmp"
"""How the names of unfinished files end; start-up removes all of them."""
