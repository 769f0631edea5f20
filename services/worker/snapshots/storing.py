"""Storing a spooled result: snapshot, pieces, the end of its run and retention in one transaction of Postgres."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from qg_bundle.snapshots.codec import seal_header
from qg_core.job_runs import RunStatus
from qg_core.signatures import Tagger
from qg_core.snapshots import SnapshotHeader
from qg_store.availability import is_unavailable
from qg_store.engine import SessionFactory
from qg_store.repositories import job_runs, snapshots
from qg_store.repositories.snapshots import NewSnapshot, Piece
from worker.runs.definitions import Definition
from worker.runs.live import LOST, Interrupted, LiveRun
from worker.snapshots.copying import spooled_pieces
from worker.snapshots.production import Result
from worker.snapshots.refusals import CopiesTooLarge

RETRY_S = 0.5
TRIED_S_MAX = 60.0
"""So long a result waits for Postgres to take it, as long as the lease holds."""

REMOVED_PER_RUN_MAX = 10
"""Removing many large ones at once would take seconds, in which the run's row is locked. The next run goes on."""


class StoringFailed(Exception):
    """Postgres did not take the result; the message says what kind of failure it was."""


class Stored(msgspec.Struct, frozen=True):
    """A snapshot that was committed; `sealed` is its header as it is in Redis."""

    header: SnapshotHeader
    sealed: bytes


class Storing:
    """Stores results under the run's token: whoever lost the run stores nothing."""

    def __init__(
        self,
        sessions: SessionFactory,
        tags: Tagger,
        *,
        gateway_id: str,
        copies_bytes_max: int,
        retention_count: Callable[[], int],
    ) -> None:
        self._sessions = sessions
        self._tags = tags
        self._gateway_id = gateway_id
        self._copies_bytes_max = copies_bytes_max
        self._retention_count = retention_count

    async def store(self, definition: Definition, result: Result, live: LiveRun) -> Stored:
        """Store, again and again while Postgres is away and the lease holds.

        Raises `Interrupted`, `SnapshotRefused` and, after `TRIED_S_MAX`, `StoringFailed`; then nothing was written.
        """
        deadline = time.monotonic() + TRIED_S_MAX
        tried: Stored | None = None
        while True:
            live.check()
            try:
                async with self._sessions() as session:
                    # A commit whose answer was lost may have been one.
                    if tried is not None and await snapshots.get(session, tried.header.snapshot_id) is not None:
                        return tried
                    tried = await self._sealed(session, definition, result)
                    await self._write(session, tried, result, live)
                    live.check()
                    await session.commit()
                    return tried
            except Exception as error:
                if not is_unavailable(error):
                    raise
                if time.monotonic() > deadline:
                    raise StoringFailed(f"Postgres did not take the result ({type(error).__name__}).") from error
            await asyncio.sleep(RETRY_S)

    async def _sealed(self, session: AsyncSession, definition: Definition, result: Result) -> Stored:
        header = SnapshotHeader(
            gateway_id=self._gateway_id,
            endpoint_id=definition.endpoint.id,
            snapshot_id=str(uuid.uuid4()),
            number=await snapshots.take_number(session),
            producer=definition.producer,
            created_at=result.read_at,
            row_count=result.row_count,
            truncated=result.truncated,
            rows_bytes=result.text.rows_bytes,
            rows_crc32=result.text.rows_crc32,
            encodings=result.text.encodings,
        )
        return Stored(header, seal_header(self._tags, header))

    async def _write(self, session: AsyncSession, stored: Stored, result: Result, live: LiveRun) -> None:
        header = stored.header
        await snapshots.add(
            session,
            NewSnapshot(
                id=header.snapshot_id,
                number=header.number,
                endpoint_id=header.endpoint_id,
                job_run_id=live.run_id,
                producer=header.producer,
                header=stored.sealed,
                row_count=header.row_count,
                truncated=header.truncated,
                bytes=header.rows_bytes,
                stored_bytes=header.stored_bytes,
            ),
            _pieces(header, result, live),
        )
        total = await snapshots.stored_bytes_of_newest(session)
        if total > self._copies_bytes_max:
            raise CopiesTooLarge(total, self._copies_bytes_max)
        live.check()
        # Late: it locks the run's row, which the heartbeat wants. And before the retention: whoever deletes an endpoint
        # takes the schedule's row first and the snapshots' after it.
        if not await job_runs.finish(session, live.run_id, live.token, RunStatus.SUCCESS, header.row_count, None):
            raise Interrupted(LOST)
        await snapshots.keep_newest(session, header.endpoint_id, self._retention_count(), REMOVED_PER_RUN_MAX)


async def _pieces(header: SnapshotHeader, result: Result, live: LiveRun) -> AsyncIterator[Piece]:
    async for encoding, number, body in spooled_pieces(header, result.files):
        live.check()
        yield Piece(encoding, number, body)
