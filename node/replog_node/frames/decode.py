"""From bytes to an entry, and the proof that it is one.

Decides: when a frame is sound by itself (decode_entry) and when it follows another (follows,
succeeds). Whoever took bytes from a disk or a peer uses these before anything else.
Must not know: where the bytes came from, what to do about damage.
Read next: ../storage/reader.py.
"""

from google_crc32c import value as crc32c

from replog_node.frames.chain import link
from replog_node.frames.controls import decode_configurations, decode_controls
from replog_node.frames.layout import (
    BATCH_CHECKED_AT,
    BATCH_CONTROL_BIT,
    BATCH_COUNT,
    BATCH_COUNT_AT,
    BATCH_MAGIC,
    CHAINED_HEADER,
    DIGEST_CRC32C,
    FLAG_CONFIGURATION,
    FLAG_CONTROL,
    FLAGS_KNOWN,
    FRAME_HEADER_BYTES,
    BatchHeader,
    FrameDamaged,
    FrameHeader,
    batch_header,
    frame_header,
)
from replog_node.model.configuration import Configuration
from replog_node.model.controls import ConfigurationChanged, Control
from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import TERM_MAX, Offset, Term


def decode_entry(frame: bytes) -> Entry:
    """Return the entry that these bytes are, exactly; raises FrameDamaged if they aren't one.

    Checked: the header's fields, that batches tile the frame and their offsets the entry, magic,
    leader epochs, the control bit, and every batch's checksum. Not checked: the records within
    (their batch's checksum covers them), and the frame's place (follows, succeeds).
    """
    header = frame_header(frame)
    _check_header(header, len(frame))
    expected = header.base
    for batch in _walk(frame):
        _check_batch(frame, batch, header, expected)
        expected = batch.base + batch.last_delta + 1
    if expected != header.last + 1:
        raise FrameDamaged(f"batches end at offset {expected - 1}, the header says {header.last}")
    return Entry(
        Offset(header.base),
        Offset(header.last),
        Term(header.term),
        header.append_time_ms,
        header.chain,
        frame,
        _configuration(frame, header),
    )


def follows(previous_chain: bytes, entry: Entry) -> bool:
    """Whether `entry` is the frame that was built upon this chain."""
    crcs = [batch.crc for batch in _walk(entry.frame)]
    covered = memoryview(entry.frame)[: CHAINED_HEADER.size]
    return link(previous_chain, covered, crcs) == entry.chain


def succeeds(tail: Tail, entry: Entry) -> bool:
    """Whether `entry` may stand right after `tail`: chain, offsets, and no falling term or time."""
    return ordered(tail, entry) and follows(tail.chain, entry)


def ordered(tail: Tail, entry: Entry) -> bool:
    """Whether offsets, term and time of `entry` allow it right after `tail`; not its chain."""
    return (
        entry.base == tail.position.offset + 1
        and entry.term >= tail.position.term
        and entry.append_time_ms >= tail.append_time_ms
    )


def tail_of(entry: Entry) -> Tail:
    """Return what the entry after this one builds upon."""
    return Tail(entry.position, entry.chain, entry.append_time_ms)


def controls(entry: Entry) -> tuple[tuple[Offset, Control], ...]:
    """Return the entry's control records with their offsets, in order.

    Raises UnknownControl for a kind that this build doesn't know, FrameDamaged for nonsense.
    """
    if not frame_header(entry.frame).flags & FLAG_CONTROL:
        return ()
    return decode_controls(_control_batch(entry.frame))


def configurations(entry: Entry) -> tuple[tuple[Offset, ConfigurationChanged], ...]:
    """Return the configurations among the entry's controls with their offsets, in order."""
    if entry.configuration is None:
        return ()
    return decode_configurations(_control_batch(entry.frame))


def data_batches(entry: Entry) -> tuple[memoryview, ...]:
    """Return the entry's data batches as they lie: whole, with base offset and leader epoch set."""
    view = memoryview(entry.frame)
    return tuple(
        view[batch.at : batch.end]
        for batch in _walk(entry.frame)
        if not batch.attributes & BATCH_CONTROL_BIT
    )


def _walk(frame: bytes) -> list[BatchHeader]:
    """Return the headers of the frame's batches; raises FrameDamaged unless they tile it."""
    found: list[BatchHeader] = []
    at = FRAME_HEADER_BYTES
    while at < len(frame):
        batch = batch_header(frame, at)
        found.append(batch)
        at = batch.end
    return found


def _check_header(header: FrameHeader, length: int) -> None:
    if header.length != length:
        raise FrameDamaged(f"the header says {header.length} bytes, there are {length}")
    if header.algorithm != DIGEST_CRC32C or header.zero or header.flags & ~FLAGS_KNOWN:
        raise FrameDamaged(f"unknown flags {header.flags} or digest {header.algorithm}")
    if header.flags & FLAG_CONFIGURATION and not header.flags & FLAG_CONTROL:
        raise FrameDamaged("a configuration outside a control batch")
    if not 1 <= header.term <= TERM_MAX or header.append_time_ms < 0:
        raise FrameDamaged(f"impossible term {header.term} or time {header.append_time_ms}")


def _check_batch(frame: bytes, batch: BatchHeader, header: FrameHeader, expected: int) -> None:
    if batch.magic != BATCH_MAGIC:
        raise FrameDamaged(f"a batch of magic {batch.magic}")
    if batch.base != expected or batch.leader_epoch != header.term or batch.last_delta < 0:
        raise FrameDamaged(f"a batch at {batch.base} term {batch.leader_epoch}, not {expected}")
    if BATCH_COUNT.unpack_from(frame, batch.at + BATCH_COUNT_AT)[0] != batch.last_delta + 1:
        raise FrameDamaged("a batch's record count contradicts its last offset delta")
    control = batch.at == FRAME_HEADER_BYTES and bool(header.flags & FLAG_CONTROL)
    if bool(batch.attributes & BATCH_CONTROL_BIT) != control:
        raise FrameDamaged("a batch's control bit contradicts the frame's flags")
    # A slice of bytes and not of a memoryview: the checksum library takes bytes only.
    if crc32c(frame[batch.at + BATCH_CHECKED_AT : batch.end]) != batch.crc:
        raise FrameDamaged(f"the checksum of the batch at offset {batch.base} doesn't match")


def _configuration(frame: bytes, header: FrameHeader) -> Configuration | None:
    if not header.flags & FLAG_CONFIGURATION:
        return None
    found = decode_configurations(_control_batch(frame))
    if not found:
        raise FrameDamaged("the flags promise a configuration, the controls hold none")
    return found[-1][1].configuration


def _control_batch(frame: bytes) -> bytes:
    return frame[FRAME_HEADER_BYTES : batch_header(frame, FRAME_HEADER_BYTES).end]
