"""What may go wrong with the files of snapshots, as one error with a reason."""

import contextlib
import errno
from collections.abc import Iterator

import zstandard

DISK_FULL = "disk_full"
ALTERED = "altered"
MISSING = "missing"
UNUSABLE = "unusable"
TOO_MANY_OPEN = "too_many_open"

PASSING = frozenset({DISK_FULL, TOO_MANY_OPEN})
"""Reasons that say nothing of the file: it is as good as before."""

_REASONS = {
    errno.ENOSPC: DISK_FULL,
    errno.EDQUOT: DISK_FULL,
    errno.EMFILE: TOO_MANY_OPEN,
    errno.ENFILE: TOO_MANY_OPEN,
    errno.ENOMEM: TOO_MANY_OPEN,
}


class FilesFailed(Exception):
    """`reason` is one of the slugs above; the message says more."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(detail)


@contextlib.contextmanager
def as_failed() -> Iterator[None]:
    """Turn what the file system and the decoder raise into `FilesFailed`."""
    try:
        yield
    except FileNotFoundError as error:
        raise FilesFailed(MISSING, str(error)) from error
    except OSError as error:
        raise FilesFailed(_REASONS.get(error.errno or 0, UNUSABLE), str(error)) from error
    except zstandard.ZstdError as error:
        raise FilesFailed(ALTERED, str(error)) from error
