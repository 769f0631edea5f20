"""Running one statement within its bounds: the call, and the stream of encoded rows that it gives.

The caller never waits inside the driver. Each stretch of driver work runs in a task that this module owns, and the
caller waits for a plain future; whoever gives up (a deadline, a client that left, a cancelled task) leaves the driver
undisturbed: the call is stopped with the driver's `cancel()` and its owner sees it to its end.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any

from qg_oracle.call import Call, Explain
from qg_oracle.cancelling import CallCancelled, CancelSignal
from qg_oracle.columns import Column
from qg_oracle.deadlines import Deadline
from qg_oracle.errors import Failure, FailureKind, to_gateway_error, to_preview_error
from qg_oracle.pool import Pool
from qg_oracle.statements import NO_TAGS, Statement, Tags

__all__ = ["CallCancelled", "CancelSignal", "ResultStream", "execute"]


class ResultStream:
    """The rows of one call as JSON text: objects with commas between them, in chunks that can be joined as they are.

    `first` holds the first chunk. When `complete`, that was all and the session is back in its pool already; else
    iterate (which begins with `first`) or call `next_chunk`, and close the stream if you stop early.
    """

    __slots__ = ("_call", "columns", "first")

    def __init__(self, call: Call, first: bytes) -> None:
        self._call = call
        self.first = first
        self.columns: tuple[Column, ...] = call.output.columns

    @property
    def complete(self) -> bool:
        return self._call.finished

    @property
    def truncated(self) -> bool:
        """Whether rows were left out for `rows_max` or `bytes_max`; final once complete."""
        return self._call.output.truncated

    @property
    def row_count(self) -> int:
        """Rows encoded so far."""
        return self._call.output.row_count

    @property
    def size(self) -> int:
        """Bytes encoded so far."""
        return self._call.output.size

    async def next_chunk(self) -> bytes | None:
        """The next chunk, beginning with a comma; None after the last. Raises as `execute` does."""
        if self._call.finished:
            self._call.raise_if_stopped()
            return None
        return await _owned(self._call, self._call.next_batch())

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.first
        while (chunk := await self.next_chunk()) is not None:
            yield chunk

    def close(self) -> None:
        """Stop: the rest is not wanted. Without effect on a complete stream."""
        self._call.stop("closed")


async def execute(
    pool: Pool,
    statement: Statement,
    binds: Mapping[str, Any],
    deadline: Deadline,
    tags: Tags,
    cancel: CancelSignal | None = None,
    *,
    explain: Explain = to_gateway_error,
) -> ResultStream:
    """Run `statement` and fetch its first batch.

    `deadline` covers all of it, the later batches and the time between them included: when it passes, the stream ends
    with `QueryTimedOut` and the session goes back. At most `rows_max + 1` rows are fetched.

    Raises EndpointBusy, DatabaseBusy (also when the pool has no session within half of the time), DeadlineExceeded,
    DatabaseUnreachable, ConnectionUnavailable, QueryTimedOut, QueryFailed, DuplicateColumns, each with `cause_code`
    where there is one, and `CallCancelled` after `cancel` was fired. `explain` chooses the error of a classified one.
    """
    if not statement.is_query:
        raise explain(Failure(FailureKind.QUERY, "not a query"))
    statement.enter()
    call = Call(pool, statement, binds, tags, deadline, cancel, explain)
    first = await _owned(call, call.first_batch())
    return ResultStream(call, first if first is not None else b"")


async def describe_in_call(pool: Pool, statement: Statement, deadline: Deadline) -> Call:
    """A finished call that only let the database parse the statement."""
    statement.enter()
    call = Call(pool, statement, {}, NO_TAGS, deadline, explain=to_preview_error)
    await _owned(call, call.describe())
    return call


async def _owned(call: Call, work: Coroutine[Any, Any, bytes | None]) -> bytes | None:
    """Run a stretch of driver work in a task of its own; if the caller's task is cancelled, stop the call."""
    answer = call.begin(work)
    try:
        return await answer
    except asyncio.CancelledError:
        call.stop("task cancelled")
        raise
