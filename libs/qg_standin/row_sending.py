"""Puts the rows of an open cursor into a response."""

from __future__ import annotations

from collections.abc import Callable

from qg_standin import replies
from qg_standin.cursors import Cursor
from qg_standin.failures import OracleError
from qg_standin.response import Call, Response
from qg_standin.rows import StreamSource, Taken
from qg_standin.sources import Sources


class RowSending:
    """Of one session; `field_version` is what was negotiated, `call_status` what endings report of the transaction."""

    def __init__(self, sources: Sources, field_version: int, call_status: Callable[[], int]) -> None:
        self._field_version = field_version
        self._sources = sources
        self._call_status = call_status

    async def send(self, cursor: Cursor, rows_wanted: int, call: Call, response: Response, *, executed: bool) -> None:
        """As many rows as are wanted, in chunks that leave while the next are made, and their ending."""
        left = rows_wanted
        is_last = False
        has_header = False
        while left > 0 and not is_last:
            taken = await self._take(cursor, left, call)
            if taken.count and not has_header:
                response.add(replies.ROW_HEADER)
                has_header = True
            response.add(taken.chunk)
            left -= taken.count
            cursor.fetched_rows += taken.count
            is_last = taken.is_last
            if left > 0 and not is_last:
                await response.relieve(call)
        response.add(self._query_end(cursor, is_last=is_last, executed=executed))

    def add(self, cursor: Cursor, taken: Taken, response: Response) -> None:
        """Rows that are there already, and their ending."""
        if taken.count:
            response.add(replies.ROW_HEADER)
            response.add(taken.chunk)
        cursor.fetched_rows = taken.count
        response.add(self._query_end(cursor, is_last=taken.is_last, executed=True))

    async def _take(self, cursor: Cursor, rows_wanted: int, call: Call) -> Taken:
        source = cursor.source
        if source is None:
            raise OracleError(1002, "fetch out of sequence")
        if source.is_ready(rows_wanted):
            taken = source.take(rows_wanted)
        else:
            taken = await self._sources.interruptible(lambda: source.take(rows_wanted), cursor, call)
        if taken.is_last and isinstance(source, StreamSource):
            source.offer_to_cache()
        return taken

    def _query_end(self, cursor: Cursor, *, is_last: bool, executed: bool) -> bytes:
        return replies.query_end(
            self._field_version, self._call_status(), cursor.number, cursor.fetched_rows,
            is_last=is_last, executed=executed,
        )  # fmt: skip
