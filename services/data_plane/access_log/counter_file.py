"""The file behind a sequence: mapped into memory, and locked by the one process whose log this is."""

import errno
import fcntl
import mmap
import os
from pathlib import Path

from data_plane.access_log.sequence import COUNTER_BYTES, Cells, numbers_gone
from qg_core.access_events import SEQUENCE_MAX

TRUSTED_MAX = SEQUENCE_MAX // 2
"""No node comes as far: a larger number is damage, and counting on from it would soon be out of range."""


class CounterTaken(Exception):
    """Another process has this log."""


class CounterDamaged(Exception):
    """The file is no counter: its numbers can't be trusted."""


class CounterFile:
    """Open, locked and mapped. The lock is the file's: it ends with the process, however that ends."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Raises `OSError`, `CounterTaken`, `CounterDamaged`."""
        self._descriptor = os.open(path, os.O_RDWR | (os.O_CREAT | os.O_EXCL if create else 0), 0o600)
        try:
            _lock(self._descriptor)
            if create:
                _fill(self._descriptor)
            _check(self._descriptor)
            self._mapping = mmap.mmap(self._descriptor, COUNTER_BYTES)
            self.cells: Cells = memoryview(self._mapping).cast("Q")
            _check_number(max(self.numbers_gone, self.settled))
        except BaseException:
            os.close(self._descriptor)
            raise

    @property
    def numbers_gone(self) -> int:
        """The last number that was given, or is due to a request that was running when its process died."""
        return numbers_gone(self.cells[0])

    @property
    def settled(self) -> int:
        """The last number whose event is in a file, or was dropped and counted."""
        return self.cells[1]

    def settle(self, number: int) -> None:
        """Everything up to `number` is in a file, or was dropped and counted."""
        self.cells[1] = max(number, self.cells[1])

    def close(self) -> None:
        """Unmap, unlock and close; nobody may hold `cells` any more."""
        self.cells.release()
        self._mapping.close()
        os.close(self._descriptor)


def _fill(descriptor: int) -> None:
    # Written, not only made longer: a full disk must show here and not at a store into the mapping.
    if os.write(descriptor, bytes(COUNTER_BYTES)) != COUNTER_BYTES:
        raise OSError(errno.ENOSPC, "no room for a counter")


def _check_number(number: int) -> None:
    if number > TRUSTED_MAX:
        raise CounterDamaged(f"a counter at {number}")


def _check(descriptor: int) -> None:
    found = os.fstat(descriptor)
    if found.st_nlink == 0:
        raise CounterTaken("another process has just removed this log")
    if found.st_size != COUNTER_BYTES:
        raise CounterDamaged(f"a counter of {found.st_size} bytes")


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CounterTaken("another process writes this log") from None
