"""Encoded rows of a live query into the body of the answer: whole when small, in pieces when large."""

import time
from typing import Protocol

from data_plane.catalogs.shapes import HEAD, AnswerShape

WHOLE_BYTES_MAX = 2 * 1024 * 1024
"""An answer up to this size is sent whole, with a content-length; a larger one in pieces as they are fetched."""


class Stream(Protocol):
    """Encoded rows, as `qg_oracle.execute` gives them."""

    @property
    def row_count(self) -> int: ...
    @property
    def truncated(self) -> bool: ...


def tail(shape: AnswerShape, stream: Stream, started: float) -> bytes:
    """What closes the answer once all rows are there; the query's time runs from `started` (monotonic) until now."""
    query_duration_ms = (time.monotonic() - started) * 1000
    return shape.tail(stream.row_count, query_duration_ms, truncated=stream.truncated)


def whole(shape: AnswerShape, chunks: list[bytes], stream: Stream, started: float) -> bytes:
    """The complete body."""
    return b"".join((HEAD, *chunks, tail(shape, stream, started)))
