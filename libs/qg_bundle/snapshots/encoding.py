"""The stored text of a snapshot in its encodings, made while it is written and completed when it is served.

Bounded memory whatever the length: the compressors hold a few megabytes, everything else goes to the sinks. Zstandard
frames and gzip members may be continued by appending (RFC 8878 section 3, RFC 1951 section 3.2.3; zlib's Z_FULL_FLUSH
ends on a byte boundary), which is what lets a tail follow that is made per request.
"""

import hashlib
import zlib
from collections.abc import Mapping
from typing import Protocol

import msgspec
import zstandard

from qg_core.snapshots import ENCODINGS, GZIP, IDENTITY, TEXT_HEAD, ZSTD, EncodedBody, pieces_of

GZIP_LEVEL = 6
ZSTD_LEVEL = 3
TAIL_ZSTD_LEVEL = 1
ZSTD_WINDOW_BYTES_MAX = 8_388_608
"""What RFC 8878 recommends decoders to support; level 3 uses 2 MiB."""

_GZIP_WBITS = 31
_RAW_WBITS = -15


class Sink(Protocol):
    """Where encoded bytes go: a binary file."""

    def write(self, data: bytes, /) -> object: ...


class StoredText(msgspec.Struct, frozen=True):
    """What a header says of the text: size in bytes and CRC-32 before encoding, and each encoding."""

    rows_bytes: int
    rows_crc32: int
    encodings: dict[str, EncodedBody]


class StoredWriter:
    """Encodes a text while it comes. Blocking: call it in a thread. One text per writer.

    `sinks` has one binary file per name in `ENCODINGS`; what they raise comes through.
    """

    def __init__(self, sinks: Mapping[str, Sink]) -> None:
        if set(sinks) != set(ENCODINGS):
            raise ValueError(f"one sink for each of {ENCODINGS} is needed")
        self._outputs = {
            ZSTD: _Output(zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compressobj(), sinks[ZSTD]),
            GZIP: _Output(zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_WBITS), sinks[GZIP]),
        }
        self.rows_bytes = 0
        """So far, before encoding."""
        self._rows_crc32 = 0
        self.write(TEXT_HEAD)

    @property
    def stored_bytes(self) -> int:
        """What the sinks got so far."""
        return sum(output.size for output in self._outputs.values())

    def write(self, chunk: bytes) -> None:
        """Take the next encoded rows, commas included."""
        self.rows_bytes += len(chunk)
        self._rows_crc32 = zlib.crc32(chunk, self._rows_crc32)
        for output in self._outputs.values():
            output.take(output.compressor.compress(chunk))

    def finish(self) -> StoredText:
        """Write what the compressors still hold."""
        zstd, gzip = self._outputs[ZSTD], self._outputs[GZIP]
        zstd.take(zstd.compressor.flush())
        # Not Z_FINISH: the last block and the trailer come with the tail.
        gzip.take(gzip.compressor.flush(zlib.Z_FULL_FLUSH))
        return StoredText(
            self.rows_bytes, self._rows_crc32, {name: output.body() for name, output in self._outputs.items()}
        )


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self, mode: int = ..., /) -> bytes: ...


class _Output:
    """One encoding on its way to its sink."""

    def __init__(self, compressor: _Compressor, sink: Sink) -> None:
        self.compressor = compressor
        self.size = 0
        self._sink = sink
        self._sha256 = hashlib.sha256()

    def take(self, encoded: bytes) -> None:
        if encoded:
            self._sink.write(encoded)
            self.size += len(encoded)
            self._sha256.update(encoded)

    def body(self) -> EncodedBody:
        return EncodedBody(self.size, pieces_of(self.size), self._sha256.hexdigest())


class Tails:
    """Ends of stored texts, encoded so that they can follow the stored bytes. Not thread-safe."""

    def __init__(self) -> None:
        self._zstd = zstandard.ZstdCompressor(level=TAIL_ZSTD_LEVEL)

    def with_tail(self, encoding: str, tail: bytes, rows_bytes: int, rows_crc32: int) -> bytes:
        """What to append to the stored bytes in `encoding` so that `tail` ends the text.

        `rows_bytes` and `rows_crc32` are the header's. Raises `ValueError` on another encoding.
        """
        if encoding == IDENTITY:
            return tail
        if encoding == ZSTD:
            return self._zstd.compress(tail)
        if encoding == GZIP:
            return _gzip_end(tail, rows_bytes, rows_crc32)
        raise ValueError(f"{encoding!r} is not stored")


def _gzip_end(tail: bytes, rows_bytes: int, rows_crc32: int) -> bytes:
    """The last deflate block, then CRC-32 and size of the whole text (RFC 1952 section 2.3.1)."""
    block = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _RAW_WBITS)
    crc32 = zlib.crc32(tail, rows_crc32)
    size = (rows_bytes + len(tail)) % 2**32
    return block.compress(tail) + block.flush() + crc32.to_bytes(4, "little") + size.to_bytes(4, "little")
