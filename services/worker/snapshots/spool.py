"""The spool: where encoded results lie on disk while their statement runs, so that no session and no memory is held.

One directory per process under `STATE_DIR/spool`, with a lock that dies with the process: what a killed one left is
removed by the next one that starts, and what another one uses is left alone.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from qg_core.snapshots import ENCODINGS, PIECE_BYTES
from worker.snapshots.refusals import SpoolFailed

SPOOL = "spool"
LOCK = "lock"
BUFFER_BYTES = 1_048_576


class SpooledFiles:
    """One result's files, one per encoding. All of it blocks: call it in a thread."""

    def __init__(self, directory: Path) -> None:
        self._paths = {encoding: directory / encoding for encoding in ENCODINGS}
        self.sinks: dict[str, BinaryIO] = {
            encoding: path.open("xb", buffering=BUFFER_BYTES) for encoding, path in self._paths.items()
        }

    def flush(self) -> None:
        """Hand over to the system what is buffered. Raises `OSError` when the disk is full."""
        for sink in self.sinks.values():
            sink.flush()

    def piece(self, encoding: str, number: int) -> bytes:
        """The `number`th piece of an encoding, counted from 0; empty past its end."""
        with self._paths[encoding].open("rb") as file:
            file.seek(number * PIECE_BYTES)
            return file.read(PIECE_BYTES)

    def close(self) -> None:
        """Close the files; whatever they could not write any more is not wanted."""
        for sink in self.sinks.values():
            with contextlib.suppress(OSError):
                sink.close()


class Spool:
    """This process's part of the spool. Raises `OSError` when the directory can't be used."""

    def __init__(self, state_dir: Path) -> None:
        self._root = state_dir / SPOOL
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._root.mkdir(mode=0o700, exist_ok=True)
        self._root.chmod(0o700)
        for left in self._root.iterdir():
            _remove_if_left(left)
        self._own = self._root / secrets.token_hex(8)
        self._own.mkdir(mode=0o700)
        self._lock = _locked(self._own)

    @contextlib.contextmanager
    def files(self, run_id: str) -> Iterator[SpooledFiles]:
        """Files of one run, removed at the end. Raises `SpoolFailed` when they can't be made."""
        directory = self._own / f"{run_id}-{secrets.token_hex(4)}"
        try:
            directory.mkdir(mode=0o700)
            files = SpooledFiles(directory)
        except OSError as error:
            shutil.rmtree(directory, ignore_errors=True)
            raise SpoolFailed(error) from error
        try:
            yield files
        finally:
            files.close()
            shutil.rmtree(directory, ignore_errors=True)

    def close(self) -> None:
        """Remove this process's part."""
        shutil.rmtree(self._own, ignore_errors=True)
        os.close(self._lock)


def _remove_if_left(directory: Path) -> None:
    """Remove what a process that is gone has left; what somebody holds stays."""
    if not directory.is_dir() or directory.is_symlink():
        directory.unlink(missing_ok=True)
        return
    try:
        lock = _locked(directory)
    except OSError:
        return
    shutil.rmtree(directory, ignore_errors=True)
    os.close(lock)


def _locked(directory: Path) -> int:
    """Take the lock of one process's part. Raises `OSError` when another process has it."""
    lock = os.open(directory / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock
