"""Where files can lie in memory: for servers whose rows nobody keeps.

A database is some 300 files. To make and drop one costs a file system on a disk up to 300 ms of the processor, one in
memory 30 ms, and the tests do it hundreds of times.
"""

import shutil
from pathlib import Path

import psutil

from .run_as import why_unsuitable

_PLACE = Path("/dev/shm")  # noqa: S108 - checked below
_FREE_BYTES_MIN = 2 * 1024**3
_AVAILABLE_BYTES_MIN = 4 * 1024**3
"""Four servers at once, with 256 MiB of log each at the most, and room for everything else."""


def memory_place() -> Path | None:
    """A directory in memory that every user can reach and where nobody can replace what we make; null without room."""
    if not _PLACE.is_dir() or why_unsuitable(_PLACE):
        return None
    if shutil.disk_usage(_PLACE).free < _FREE_BYTES_MIN or psutil.virtual_memory().available < _AVAILABLE_BYTES_MIN:
        return None
    return _PLACE
