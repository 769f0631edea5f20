"""One file that is written aside and gets its name when it is whole."""

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from data_plane.snapshots.failures import ALTERED, FilesFailed, as_failed

ASIDE = "part"


class Writing:
    """Write all of it, then `finish`; leaving the context without that leaves nothing behind."""

    def __init__(self, path: Path, size: int, give_up: Callable[[], None]) -> None:
        """`size` in bytes is what it will be; `give_up` is told when it never gets its name."""
        self._path = path
        self._size = size
        self._give_up = give_up
        self._written = 0
        self._sha256 = hashlib.sha256()
        # The process id: a predecessor that still drains may be writing the same one.
        self._aside = path.with_name(f"{path.name}.{os.getpid()}.{ASIDE}")
        self._file = os.fdopen(os.open(self._aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb", buffering=0)
        self._named = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; without `finish` before it, nothing of it stays. May be called again."""
        if self._file.closed:
            return
        with contextlib.suppress(OSError):
            self._file.close()
        if not self._named:
            with contextlib.suppress(OSError):
                self._aside.unlink()
            self._give_up()

    def write(self, piece: bytes) -> None:
        """Write the next bytes. Raises `FilesFailed`."""
        with as_failed():
            left = memoryview(piece)
            while left:
                left = left[self._file.write(left) :]
        self._written += len(piece)
        self._sha256.update(piece)

    def finish(self, sha256: str | None = None) -> None:
        """Compare size and digest (null: somebody else did), and give the file its name. Raises `FilesFailed`.

        Not synced: what a power cut tears is found and dropped by `SnapshotFiles.verify`.
        """
        if self._written != self._size or (sha256 is not None and self._sha256.hexdigest() != sha256):
            raise FilesFailed(ALTERED, f"{self._path.name}: {self._written} bytes are not those of the header")
        with as_failed():
            self._aside.replace(self._path)
        self._named = True
