"""A snapshot as it is kept: its stored text, how that is encoded and cut into pieces, and the header that binds it.

The stored text is `TEXT_HEAD` and the encoded rows, one answer without its end: the tail (`],"meta":{...}}`) is added
for each request, because the age is in it. Encodings are made once, by the worker.
"""

import re

import msgspec

HEADER_FORMAT = 1
"""The format of headers that this release writes."""

HEADER_FORMATS_READ = frozenset({1})

TEXT_HEAD = b'{"data":['
"""What the stored text begins with; the rows follow, separated by commas."""

ZSTD = "zstd"
"""One complete Zstandard frame (RFC 8878); the tail follows as a second frame."""

GZIP = "gzip"
"""A gzip member (RFC 1952) without its end: header and deflate blocks up to a byte boundary (Z_FULL_FLUSH). The tail
follows as the last block, then the CRC-32 and the size of all."""

IDENTITY = "identity"
"""The text itself. It is never stored: a node makes it from `ZSTD`."""

ENCODINGS = (ZSTD, GZIP)
"""What is stored of every snapshot."""

PIECE_BYTES = 524_288
"""Encoded bodies are stored in pieces of this size; the last one is shorter."""

TEXT_BYTES_MAX = 4_294_967_296
"""The longest text that a header may name: the ceiling of `SNAPSHOT_BYTES_MAX`."""

ENCODED_BYTES_MAX = TEXT_BYTES_MAX + 67_108_864
"""What doesn't compress grows a little."""

NUMBER_MAX = 2**53 - 1
"""Redis compares scores as doubles."""

ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""How the ids of endpoints and snapshots are written (`fullmatch`); they become parts of key and file names."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


class EncodedBody(msgspec.Struct, frozen=True):
    """The stored text in one encoding: its `size` in bytes, the number of its pieces, its SHA-256 in hex."""

    size: int
    pieces: int
    sha256: str


class SnapshotHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a snapshot. Whoever reads one must have verified its tag.

    `number` grows with every snapshot of the gateway; `producer` is the digest of what produced it
    (`qg_core.producers`); `created_at` is Unix seconds. `rows_bytes` and `rows_crc32` are of the whole stored text,
    not encoded; `encodings` is by name.
    """

    format: int = HEADER_FORMAT
    gateway_id: str
    endpoint_id: str
    snapshot_id: str
    number: int
    producer: str
    created_at: float
    row_count: int
    truncated: bool
    rows_bytes: int
    rows_crc32: int
    encodings: dict[str, EncodedBody]

    @property
    def stored_bytes(self) -> int:
        """All its encodings together."""
        return sum(body.size for body in self.encodings.values())


def pieces_of(size: int) -> int:
    """How many pieces `size` bytes are."""
    return -(-size // PIECE_BYTES)


def piece_size(body: EncodedBody, number: int) -> int:
    """The size in bytes of the `number`th piece, counted from 0."""
    return min(PIECE_BYTES, body.size - number * PIECE_BYTES)


def header_problem(header: SnapshotHeader) -> str | None:
    """What is wrong with a header that was read, null when nothing is."""
    if header.format not in HEADER_FORMATS_READ:
        return f"format {header.format} is not one of {sorted(HEADER_FORMATS_READ)}"
    if not (
        ID.fullmatch(header.endpoint_id) and ID.fullmatch(header.snapshot_id) and _DIGEST.fullmatch(header.producer)
    ):
        return "an id or digest is malformed"
    if not 0 < header.number <= NUMBER_MAX:
        return f"the number is {header.number}"
    if not 0 <= header.created_at < 1e11 or header.row_count < 0:
        return "the time or the row count is out of range"
    if not len(TEXT_HEAD) <= header.rows_bytes <= TEXT_BYTES_MAX or not 0 <= header.rows_crc32 < 2**32:
        return "the size or checksum of the text is out of range"
    if set(header.encodings) != set(ENCODINGS):
        return f"the encodings are not {' and '.join(ENCODINGS)}"
    for name, body in header.encodings.items():
        if not 0 < body.size <= ENCODED_BYTES_MAX or body.pieces != pieces_of(body.size):
            return f"the size of {name} is out of range"
        if not _DIGEST.fullmatch(body.sha256):
            return f"the digest of {name} is malformed"
    return None
