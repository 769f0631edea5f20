"""The daily partitions of the access log: made ahead, dropped when they are older than the retention.

One worker at a time, whoever comes first; each step is a transaction of its own, so a slow one holds up nothing, and
one that fails does not stop the others.
"""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.availability import LOCK_NOT_AVAILABLE, is_unavailable, sqlstate_of
from qg_store.engine import SessionFactory
from qg_store.repositories import access_dead_letters, access_log, access_sources, clock
from qg_store.repositories.locks import PARTITIONS_LOCK, try_lock
from qg_telemetry.events import AccessPartitionFailed, AccessPartitionsDropped, Observe
from worker.supervised import first_line

DAYS_BEHIND = 1
DAYS_AHEAD = 3
ROWS_PER_STEP_MAX = 10_000
STEPS_MAX = 100
"""Steps of removing rows in one pass: the rest goes an hour later."""

SOURCE_DAYS_MIN = 400
"""How long a silent log is remembered at least. When it comes back later, all that it ever had counts as lost."""

ResultT = TypeVar("ResultT")


class Partitions:
    """`retention_days` is asked at each pass. Raises what SQLAlchemy raises when Postgres is away."""

    def __init__(self, sessions: SessionFactory, observe: Observe, retention_days: Callable[[], int]) -> None:
        self._sessions = sessions
        self._observe = observe
        self._retention_days = retention_days

    async def make_ahead(self) -> None:
        """Make the partitions of yesterday to three days ahead.

        Before anything is stored: a day whose first rows are in the default partition stays there as a whole.
        """
        today = await self._today()
        for offset in range(-DAYS_BEHIND, DAYS_AHEAD + 1):
            await self._make(today + timedelta(days=offset))

    async def remove_aged(self) -> list[str]:
        """Remove what is older than the retention; the logs that were forgotten. Not while another worker is at it."""
        retention_days = max(1, self._retention_days())
        oldest_kept = await self._today() - timedelta(days=retention_days)
        days = [str(day) for day in await self._aged(oldest_kept) if await self._drop(day)]
        rows_removed = await self._remove_rows(oldest_kept)
        letters_removed = (
            await self._one_worker(lambda session: access_dead_letters.prune(session, retention_days)) or 0
        )
        days_silent = max(SOURCE_DAYS_MIN, 2 * retention_days)
        forgotten = await self._one_worker(lambda session: access_sources.prune(session, days_silent)) or []
        if days or rows_removed or letters_removed or forgotten:
            self._observe(
                AccessPartitionsDropped(
                    retention_days=retention_days,
                    days=tuple(days),
                    rows_removed=rows_removed,
                    dead_letters_removed=letters_removed,
                    logs_forgotten=len(forgotten),
                )
            )
        return forgotten

    async def _make(self, day: date) -> None:
        # Not one worker at a time: who comes second must wait for the partition, too.
        made = await self._reported("make", day, lambda session: access_log.make_partition(session, day))
        if made is False:
            detail = "the default partition has rows of that day, so all of them stay there"
            self._observe(AccessPartitionFailed(action="make", day=str(day), error="rows_in_default", detail=detail))

    async def _aged(self, oldest_kept: date) -> list[date]:
        async with self._sessions() as session:
            return [day for day in await access_log.partitions(session) if day < oldest_kept]

    async def _drop(self, day: date) -> bool:
        def drop(session: AsyncSession) -> Awaitable[bool]:
            return access_log.drop_partition(session, day)

        return bool(await self._reported("drop", day, lambda session: _if_first(session, drop)))

    async def _remove_rows(self, oldest_kept: date) -> int:
        """Of the default partition, in steps: each short enough for Postgres' time limit of a statement."""
        removed = 0
        for _ in range(STEPS_MAX):
            step = await self._one_worker(
                lambda session: access_log.prune_default(session, oldest_kept, ROWS_PER_STEP_MAX)
            )
            removed += step or 0
            if not step or step < ROWS_PER_STEP_MAX:
                break
        return removed

    async def _reported(
        self, action: str, day: date, step: Callable[[AsyncSession], Awaitable[bool | None]]
    ) -> bool | None:
        """A step that may fail by itself: somebody reads that partition for long, or it is not as it should be."""
        try:
            return await self._committed(step)
        except DBAPIError as error:
            state = sqlstate_of(error)
            if is_unavailable(error) and state != LOCK_NOT_AVAILABLE:
                raise
            self._observe(
                AccessPartitionFailed(action=action, day=str(day), error=state or "", detail=first_line(error))
            )
            return None

    async def _one_worker(self, step: Callable[[AsyncSession], Awaitable[ResultT]]) -> ResultT | None:
        return await self._committed(lambda session: _if_first(session, step))

    async def _committed(self, step: Callable[[AsyncSession], Awaitable[ResultT]]) -> ResultT:
        async with self._sessions() as session:
            result = await step(session)
            await session.commit()
            return result

    async def _today(self) -> date:
        """By Postgres' clock: the functions that make and drop partitions go by it."""
        async with self._sessions() as session:
            return await clock.today(session)


async def _if_first(session: AsyncSession, step: Callable[[AsyncSession], Awaitable[ResultT]]) -> ResultT | None:
    """Run `step`; null when another worker is at it."""
    return await step(session) if await try_lock(session, PARTITIONS_LOCK) else None
