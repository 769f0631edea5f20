"""What may go wrong with the files of snapshots, as one error with a reason."""

import contextlib
from collections.abc import Iterator

import zstandard

DISK_FULL = "disk_full"
ALTERED = "altered"
MISSING = "missing"
UNUSABLE = "unusable"

_NO_SPACE = 28
_QUOTA_EXCEEDED = 122


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
        raise FilesFailed(DISK_FULL if error.errno in {_NO_SPACE, _QUOTA_EXCEEDED} else UNUSABLE, str(error)) from error
    except zstandard.ZstdError as error:
        raise FilesFailed(ALTERED, str(error)) from error
