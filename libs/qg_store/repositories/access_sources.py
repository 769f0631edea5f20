"""How far each node's log is stored: read under a lock, written back in the transaction that adds the events."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.dialects.postgresql.ranges import MultiRange, Range
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import AccessSource


class SourceState(msgspec.Struct, frozen=True):
    """What is known of one log; see `AccessSource`. `stored` are `(first, last)`, both included, in order."""

    stored: Sequence[tuple[int, int]]
    base: int
    persisted: int
    lost: int


async def lock(session: AsyncSession, nodes: Mapping[str, str]) -> dict[str, SourceState]:
    """What is known of these logs (log id -> node); new ones are begun. All stay locked until the transaction ends.

    In the order of their ids, for all workers: who has batches of the same logs waits here, and never in a circle.
    """
    rows = [{"log_id": log_id, "node": nodes[log_id]} for log_id in sorted(nodes)]
    await session.execute(insert(AccessSource).on_conflict_do_nothing(), rows)
    found = await session.execute(
        select(AccessSource.log_id, AccessSource.stored, AccessSource.base, AccessSource.persisted, AccessSource.lost)
        .where(AccessSource.log_id.in_(sorted(nodes)))
        .order_by(AccessSource.log_id)
        .with_for_update()
    )
    return {row.log_id: SourceState(_pairs(row.stored), row.base, row.persisted, row.lost) for row in found}


async def save(session: AsyncSession, nodes: Mapping[str, str], states: Mapping[str, SourceState]) -> None:
    """Write what is known of these locked logs now (log id -> state); they were heard of just now."""
    for log_id, state in states.items():
        await session.execute(
            update(AccessSource)
            .where(AccessSource.log_id == log_id)
            .values(
                node=nodes[log_id],
                # As Postgres keeps them: `[first, beyond)`.
                stored=MultiRange(Range(first, last + 1) for first, last in state.stored),
                base=state.base,
                persisted=state.persisted,
                lost=state.lost,
                last_seen=func.clock_timestamp(),
            )
            .execution_options(synchronize_session=False)
        )


async def watermarks(session: AsyncSession) -> dict[str, int]:
    """Log id -> the number up to which all are settled, of all logs of which something is."""
    rows = await session.execute(select(AccessSource.log_id, AccessSource.persisted).where(AccessSource.persisted > 0))
    return {row.log_id: row.persisted for row in rows}


async def prune(session: AsyncSession, days: int) -> list[str]:
    """Forget logs that were not heard of for `days`; their ids. A log that comes back counts what it has as new."""
    rows = await session.execute(
        delete(AccessSource)
        .where(AccessSource.last_seen < func.now() - timedelta(days=days))
        .returning(AccessSource.log_id),
        execution_options={"synchronize_session": False},
    )
    return list(rows.scalars())


def _pairs(stored: Iterable[Range[int]]) -> list[tuple[int, int]]:
    bounds = ((part.lower, part.upper) for part in stored)
    return [(first, beyond - 1) for first, beyond in bounds if first is not None and beyond is not None]
