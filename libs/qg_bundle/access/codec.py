"""Batches of access events as stream entries, and the watermark that says how far a log is stored.

An entry has three fields: `h` the header (msgpack), `b` the lines (newline between, one zstd frame), `t` a tag over
both. Nothing is decompressed or decoded before the tag has verified, and never beyond its limits: whoever may write to
Redis can make an entry go unread, not make a reader work.
"""

import enum
import re
from collections.abc import Mapping, Sequence

import msgspec
import zstandard

from qg_bundle.keys import NODE_NAME
from qg_core.access_events import LOG_ID, SEQUENCE_MAX
from qg_core.signatures import Tagger

EVENTS_MAX = 500
RAW_BYTES_MAX = 262_144
"""Lines of one batch before compression."""

HEADER_BYTES_MAX = 512
BODY_BYTES_MAX = RAW_BYTES_MAX + 1_024
TAG_BYTES = 32
PERSISTED_BYTES_MAX = 96

# A fifth of zlib's time for four fifths of its bytes; higher levels gain nothing on lines as short as these.
_COMPRESSION_LEVEL = 1
_WINDOW_BYTES_MAX = 1_048_576
"""What a frame may ask a reader to keep; level 1 asks for at most twice `RAW_BYTES_MAX`."""

_PERSISTED = re.compile(rb"(0|[1-9][0-9]{0,14})\.([0-9a-f]{64})")


class BatchHeader(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a batch holds, and what else its node still has.

    `first` and `last` are the numbers of the first and the last line; lines stand in ascending order. `base` is the
    smallest number that the node can still send: below it, what is not stored is lost. A batch without lines
    (`count` 0, `first` = `base`, `last` = `base` - 1) only says that.
    """

    log_id: str
    node: str
    base: int
    first: int
    last: int
    count: int
    raw_bytes: int


class Batch(msgspec.Struct, frozen=True):
    """A verified batch. Its lines come from a node, one by one they may still be no events (`decode_event`)."""

    header: BatchHeader
    lines: list[bytes]


class BatchReason(enum.StrEnum):
    FIELDS_MISSING = "fields_missing"
    TOO_LARGE = "too_large"
    TAG_INVALID = "tag_invalid"
    """Altered, or written by somebody who holds none of the keys."""
    MALFORMED = "malformed"


class BatchRefused(ValueError):
    """A stream entry that is no batch of a node of this gateway; nothing of it was used. `detail` quotes nothing."""

    def __init__(self, reason: BatchReason, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason.value}: {detail}")


class PersistedRefused(ValueError):
    """A watermark that no worker of this gateway wrote for this log."""


_header_decoder = msgspec.msgpack.Decoder(BatchHeader)
_encode_header = msgspec.msgpack.Encoder().encode


def make_header(log_id: str, node: str, *, base: int, first: int, last: int, lines: Sequence[bytes]) -> BatchHeader:
    """The header of a batch of `lines`."""
    raw_bytes = sum(map(len, lines)) + max(0, len(lines) - 1)
    return BatchHeader(log_id, node, base, first, last, len(lines), raw_bytes)


def encode_batch(tags: Tagger, header: BatchHeader, lines: Sequence[bytes]) -> dict[bytes, bytes]:
    """The fields of a stream entry. Raises `ValueError` on what no reader would take."""
    problem = _problem(header)
    if problem is not None or header.count != len(lines):
        raise ValueError(problem or f"a header of {header.count} lines for {len(lines)}")
    raw = b"\n".join(lines)
    if len(raw) != header.raw_bytes:
        raise ValueError(f"a header of {header.raw_bytes} bytes for {len(raw)}")
    head = _encode_header(header)
    body = zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL).compress(raw)
    return {b"h": head, b"b": body, b"t": tags.tag(_tagged(head, body))}


def decode_batch(tags: Tagger, fields: Mapping[bytes, bytes]) -> Batch:
    """The batch of a stream entry. Raises `BatchRefused`."""
    head, body, tag = fields.get(b"h"), fields.get(b"b"), fields.get(b"t")
    if head is None or body is None or tag is None:
        raise BatchRefused(BatchReason.FIELDS_MISSING, "an entry without h, b or t")
    if len(head) > HEADER_BYTES_MAX or len(body) > BODY_BYTES_MAX or len(tag) != TAG_BYTES:
        raise BatchRefused(BatchReason.TOO_LARGE, f"h, b and t of {len(head)}, {len(body)} and {len(tag)} bytes")
    if not tags.verifies(_tagged(head, body), tag):
        raise BatchRefused(BatchReason.TAG_INVALID, "the tag does not verify")
    try:
        header = _header_decoder.decode(head)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BatchRefused(BatchReason.MALFORMED, "the header is not understood") from None
    problem = _problem(header)
    if problem is not None:
        raise BatchRefused(BatchReason.MALFORMED, problem)
    raw = _decompress(body, header.raw_bytes)
    lines = raw.split(b"\n") if header.count else []
    if len(lines) != header.count:
        raise BatchRefused(BatchReason.MALFORMED, f"{len(lines)} lines under a header of {header.count}")
    return Batch(header, lines)


def is_tagged_newest(tags: Tagger, fields: Mapping[bytes, bytes]) -> bool:
    """Whether the newest key tagged a batch. One that no key of ours tagged counts as such: no key is kept for it."""
    head, body, tag = fields.get(b"h", b""), fields.get(b"b", b""), fields.get(b"t", b"")
    message = _tagged(head, body)
    return tags.tag(message) == tag or not tags.verifies(message, tag)


def persisted_value(tags: Tagger, log_id: str, sequence: int) -> bytes:
    """The watermark of a log: everything up to `sequence` is stored, or counted as lost."""
    return b"%d.%s" % (sequence, tags.tag(_persisted_message(log_id, sequence)).hex().encode("ascii"))


def read_persisted(tags: Tagger, log_id: str, value: bytes) -> int:
    """The sequence of a watermark. Raises `PersistedRefused`."""
    found = _PERSISTED.fullmatch(value) if len(value) <= PERSISTED_BYTES_MAX else None
    if found is None:
        raise PersistedRefused("the watermark is malformed")
    sequence = int(found[1])
    if not tags.verifies(_persisted_message(log_id, sequence), bytes.fromhex(found[2].decode("ascii"))):
        raise PersistedRefused("the tag of the watermark does not verify")
    return sequence


def _problem(header: BatchHeader) -> str | None:
    """What is wrong with these numbers, null when nothing is."""
    if not LOG_ID.fullmatch(header.log_id):
        return "the log id is none"
    if not NODE_NAME.fullmatch(header.node):
        return "the node's name is none"
    if not 1 <= header.base <= SEQUENCE_MAX:
        return f"base {header.base} is out of range"
    if not 0 <= header.count <= EVENTS_MAX or not 0 <= header.raw_bytes <= RAW_BYTES_MAX:
        return f"{header.count} lines of {header.raw_bytes} bytes"
    if header.count == 0:
        empty = header.first == header.base and header.last == header.base - 1 and header.raw_bytes == 0
        return None if empty else "a batch without lines that names some"
    if not 1 <= header.first <= header.last <= SEQUENCE_MAX or header.last - header.first + 1 < header.count:
        return f"{header.count} lines from {header.first} to {header.last}"
    return None


def _decompress(body: bytes, size: int) -> bytes:
    """Exactly `size` bytes out of `body`, and never more. Raises `BatchRefused`."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES_MAX)
    try:
        # One byte more than there may be: it shows that there is more. What follows the frame is not read.
        with decompressor.stream_reader(body) as reader:
            raw = reader.read(size + 1)
    except zstandard.ZstdError:
        raise BatchRefused(BatchReason.MALFORMED, "the lines do not decompress") from None
    if len(raw) != size:
        raise BatchRefused(BatchReason.MALFORMED, f"not the {size} bytes that the header says")
    return raw


def _tagged(head: bytes, body: bytes) -> bytes:
    # The length first: nobody can move bytes from the header into the body under the same tag.
    return b"%d:%b%b" % (len(head), head, body)


def _persisted_message(log_id: str, sequence: int) -> bytes:
    return f"{log_id}:{sequence}".encode()
