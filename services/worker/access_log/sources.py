"""How far logs are stored, as Postgres keeps it: read under a lock, written back in the same transaction."""

from collections.abc import Iterable, Mapping

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.dialects.postgresql.ranges import MultiRange, Range
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import AccessSource
from worker.access_log.progress import Progress
from worker.access_log.spans import Span, union


async def lock(session: AsyncSession, nodes: Mapping[str, str]) -> dict[str, Progress]:
    """What is known of these logs (log id -> node); new ones are begun. All stay locked until the transaction ends.

    In the order of their ids, for all workers: who has batches of the same logs waits here, and never in a circle.
    """
    rows = [{"log_id": log_id, "node": nodes[log_id]} for log_id in sorted(nodes)]
    await session.execute(upsert(AccessSource).on_conflict_do_nothing(), rows)
    found = await session.execute(
        select(AccessSource.log_id, AccessSource.stored, AccessSource.base, AccessSource.persisted, AccessSource.lost)
        .where(AccessSource.log_id.in_(sorted(nodes)))
        .order_by(AccessSource.log_id)
        .with_for_update()
    )
    return {row.log_id: Progress(_spans(row.stored), row.base, row.persisted, row.lost) for row in found}


async def save(session: AsyncSession, nodes: Mapping[str, str], progress: Mapping[str, Progress]) -> None:
    """Write what is known of these locked logs now (log id -> progress)."""
    for log_id, known in progress.items():
        await session.execute(
            update(AccessSource)
            .where(AccessSource.log_id == log_id)
            .values(
                node=nodes[log_id],
                stored=MultiRange(Range(span.first, span.last + 1) for span in known.settled),
                base=known.base,
                persisted=known.persisted,
                lost=known.lost,
                last_seen=func.clock_timestamp(),
            )
            .execution_options(synchronize_session=False)
        )


def _spans(stored: Iterable[Range[int]]) -> list[Span]:
    """Postgres keeps them as `[first, beyond)`, in order."""
    bounds = ((part.lower, part.upper) for part in stored)
    return union(Span(first, beyond - 1) for first, beyond in bounds if first is not None and beyond is not None)
