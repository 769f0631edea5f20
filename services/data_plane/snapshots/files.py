"""The snapshots that this node keeps in `STATE_DIR`: one file per encoding, and the sealed header, written last.

Files are written aside, compared with their digest and renamed, so a name that is there holds a whole body. Nothing
that is found at start is trusted: `verify` compares it again. Blocking; run it in threads. Methods raise `FilesFailed`.
"""

import hashlib
import io
import os
import threading
import zlib
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, cast

import zstandard

from data_plane.snapshots.failures import ALTERED, DISK_FULL, FilesFailed, as_failed
from data_plane.snapshots.writing import Writing
from qg_bundle.snapshots.codec import HEADER_BYTES_MAX
from qg_bundle.snapshots.encoding import ZSTD_WINDOW_BYTES_MAX
from qg_core.snapshots import ENCODINGS, ID, IDENTITY, ZSTD, SnapshotHeader

DIRECTORY = "snapshots"
READ_BYTES = 524_288

_HEADER = "header"
_KEPT = frozenset({*ENCODINGS, _HEADER})


class Text(Protocol):
    """A file, or what is decoded from one; `with` closes it."""

    def read(self, size: int, /) -> bytes: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class SnapshotFiles:
    """At most `bytes_max` bytes in `state_dir`/snapshots. Methods may run in several threads."""

    def __init__(self, state_dir: Path, bytes_max: int) -> None:
        self._directory = state_dir / DIRECTORY
        self._bytes_max = bytes_max
        self._sizes: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def used_bytes(self) -> int:
        """What is on disk, and what is being written."""
        with self._lock:
            return sum(self._sizes.values())

    def fits(self, header: SnapshotHeader, sealed_bytes: int) -> bool:
        """Whether all of a snapshot fits; what is there of it already gives way to it."""
        names = {self._name(header, suffix) for suffix in (*ENCODINGS, _HEADER)}
        with self._lock:
            used = sum(size for name, size in self._sizes.items() if name not in names)
        return used + header.stored_bytes + sealed_bytes <= self._bytes_max

    def open(self) -> list[tuple[str, str]]:
        """Make the directory, drop what was half written; (endpoint id, snapshot id) of the headers found."""
        found: list[tuple[str, str]] = []
        bodies: list[tuple[Path, tuple[str, str]]] = []
        with self._lock:
            self._sizes.clear()
        with as_failed():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in sorted(self._directory.iterdir()):
                if path.is_dir() and not path.is_symlink():
                    continue
                parts = path.name.split(".")
                named = len(parts) == 3 and ID.fullmatch(parts[0]) and ID.fullmatch(parts[1]) and parts[2] in _KEPT
                if not named or path.is_symlink() or not path.is_file():
                    # Also the plain text that was made of a snapshot: it is made again when somebody asks.
                    _remove(path)
                    continue
                with self._lock:
                    self._sizes[path.name] = path.stat().st_size
                if parts[2] == _HEADER:
                    found.append((parts[0], parts[1]))
                else:
                    bodies.append((path, (parts[0], parts[1])))
        owners = set(found)
        for path, owner in bodies:
            if owner not in owners:
                self._forget(path)
        return found

    def header(self, endpoint_id: str, snapshot_id: str) -> bytes:
        """The sealed header that was kept; not verified."""
        with as_failed(), self._path(endpoint_id, snapshot_id, _HEADER).open("rb") as file:
            return file.read(HEADER_BYTES_MAX + 1)

    def verify(self, header: SnapshotHeader) -> None:
        """Compare every encoding with the verified header."""
        for encoding, body in header.encodings.items():
            with as_failed(), self.stream(header, encoding) as file:
                _check(encoding, hashlib.file_digest(file, "sha256").hexdigest(), body.sha256)

    def begin(self, header: SnapshotHeader, encoding: str) -> Writing:
        """Begin to write an encoding; room for it is reserved."""
        return self._begin(self._name(header, encoding), header.encodings[encoding].size)

    def keep_header(self, header: SnapshotHeader, sealed: bytes) -> None:
        """Write the header: from now on a restart finds this snapshot."""
        with self._begin(self._name(header, _HEADER), len(sealed)) as writing:
            writing.write(sealed)
            writing.finish()

    def make_identity(self, header: SnapshotHeader) -> None:
        """Decode the text once and keep it beside the encodings, compared with the header's size and checksum."""
        with self._begin(self._name(header, IDENTITY), header.rows_bytes) as writing, self.decoded(header) as text:
            crc32, size = 0, 0
            while chunk := next_bytes(text):
                size += len(chunk)
                crc32 = zlib.crc32(chunk, crc32)
                if size > header.rows_bytes:
                    break
                writing.write(chunk)
            _check(IDENTITY, (size, crc32), (header.rows_bytes, header.rows_crc32))
            writing.finish()

    def has(self, header: SnapshotHeader, encoding: str) -> bool:
        """Whether an encoding is there as a file."""
        return self._path_of(header, encoding).exists()

    def stream(self, header: SnapshotHeader, encoding: str) -> io.FileIO:
        """The file of an encoding, of the size that it should have; it stays readable when it is removed meanwhile."""
        with as_failed():
            file = self._path_of(header, encoding).open("rb", buffering=0)
        size = header.rows_bytes if encoding == IDENTITY else header.encodings[encoding].size
        if os.fstat(file.fileno()).st_size != size:
            file.close()
            raise FilesFailed(ALTERED, f"the {encoding} of a snapshot is not of the size that its header says")
        return file

    def decoded(self, header: SnapshotHeader) -> Text:
        """The text, decoded while it is read."""
        decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES_MAX)
        return cast(Text, decompressor.stream_reader(self.stream(header, ZSTD), read_size=READ_BYTES))

    def whole(self, header: SnapshotHeader, encoding: str) -> bytes:
        """All bytes of an encoding, or of the text, compared with the header."""
        source = ZSTD if encoding == IDENTITY else encoding
        body = header.encodings[source]
        with self.stream(header, source) as file:
            stored = read_up_to(file, body.size + 1)
        _check(source, hashlib.sha256(stored).hexdigest(), body.sha256)
        if encoding != IDENTITY:
            return stored
        with as_failed():
            decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES_MAX)
            plain = decompressor.stream_reader(stored).read(header.rows_bytes + 1)
        _check(encoding, (len(plain), zlib.crc32(plain)), (header.rows_bytes, header.rows_crc32))
        return plain

    def remove(self, endpoint_id: str, snapshot_id: str) -> None:
        """Take everything of a snapshot away, the header first."""
        for suffix in (_HEADER, *ENCODINGS, IDENTITY):
            self._forget(self._path(endpoint_id, snapshot_id, suffix))

    def remove_identity(self, header: SnapshotHeader) -> None:
        """Take only the plain text away; it can be made again."""
        self._forget(self._path_of(header, IDENTITY))

    def _begin(self, name: str, size: int) -> Writing:
        with self._lock:
            used = sum(self._sizes.values()) - self._sizes.get(name, 0)
            if used + size > self._bytes_max:
                raise FilesFailed(DISK_FULL, f"{size} bytes don't fit: {used} of {self._bytes_max} are used")
            before = self._sizes.get(name)
            self._sizes[name] = size

        def give_up() -> None:
            with self._lock:
                if before is None:
                    self._sizes.pop(name, None)
                else:
                    self._sizes[name] = before

        with as_failed():
            try:
                return Writing(self._directory / name, size, give_up)
            except BaseException:
                give_up()
                raise

    def _forget(self, path: Path) -> None:
        _remove(path)
        with self._lock:
            self._sizes.pop(path.name, None)

    def _name(self, header: SnapshotHeader, suffix: str) -> str:
        return f"{header.endpoint_id}.{header.snapshot_id}.{suffix}"

    def _path_of(self, header: SnapshotHeader, suffix: str) -> Path:
        return self._path(header.endpoint_id, header.snapshot_id, suffix)

    def _path(self, endpoint_id: str, snapshot_id: str, suffix: str) -> Path:
        return self._directory / f"{endpoint_id}.{snapshot_id}.{suffix}"


def read_up_to(file: Text, size: int) -> bytes:
    """The next `size` bytes, fewer at the end only."""
    chunks: list[bytes] = []
    left = size
    with as_failed():
        while left > 0 and (chunk := file.read(min(left, READ_BYTES))):
            chunks.append(chunk)
            left -= len(chunk)
    return b"".join(chunks)


def next_bytes(text: Text) -> bytes:
    """The next bytes, `READ_BYTES` at most; empty at the end. Raises `FilesFailed`."""
    with as_failed():
        return text.read(READ_BYTES)


def _check(encoding: str, found: object, expected: object) -> None:
    if found != expected:
        raise FilesFailed(ALTERED, f"the {encoding} of a snapshot is not what its header says")


def _remove(path: Path) -> None:
    with as_failed():
        path.unlink(missing_ok=True)
