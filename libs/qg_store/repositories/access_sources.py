"""How far each node's log is stored, and how much of it will never come."""

from collections.abc import Collection
from datetime import timedelta

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.dialects.postgresql.ranges import MultiRange, Range
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import AccessSource
from qg_store.repositories.statements import BIGINT, statement

SEQUENCE_MAX = 2**62


class Watermark(msgspec.Struct, frozen=True):
    """All sequence numbers of a log up to `persisted` are settled, `lost` of them by giving them up."""

    log_id: str
    persisted: int
    lost: int


# A number is settled once it is stored or, below the base, given up. What comes after it was given up changes nothing,
# so no number is counted twice. The row is locked by then: the subqueries see its newest version.
_MERGE = statement(
    """
UPDATE access_sources SET
    stored = found.settled,
    base = found.base,
    persisted = coalesce((SELECT upper(part) - 1 FROM unnest(found.settled) AS part WHERE lower(part) = 1), 0),
    lost = access_sources.lost
        + coalesce((SELECT sum(upper(part) - lower(part)) FROM unnest(found.below - found.seen) AS part), 0),
    node = :node,
    last_seen = clock_timestamp()
FROM (
    SELECT log_id, base, seen, below, seen + below AS settled
    FROM (
        SELECT log_id, greatest(base, :base) AS base, stored + :ranges AS seen,
            int8multirange(int8range(1, greatest(base, :base))) AS below
        FROM access_sources WHERE log_id = :log_id
    ) AS merged
) AS found
WHERE access_sources.log_id = found.log_id
RETURNING access_sources.persisted, access_sources.lost
""",
    base=BIGINT,
    ranges=INT8MULTIRANGE(),
)


async def merge(
    session: AsyncSession, log_id: str, node: str, ranges: Collection[tuple[int, int]], base: int
) -> Watermark:
    """Note that the numbers of `ranges` (first, last: both included) are stored, and that none below `base` will come.

    Any order of merges, and any repetition, ends in the same state but for what came after it was given up. Who merges
    several logs in one transaction takes them in the order of their ids. Raises ValueError for numbers that can't be.
    """
    if not 1 <= base <= SEQUENCE_MAX or any(not 1 <= first <= last <= SEQUENCE_MAX for first, last in ranges):
        raise ValueError("sequence numbers count from 1, and the first of a range is its smallest")
    await session.execute(upsert(AccessSource).values(log_id=log_id, node=node).on_conflict_do_nothing())
    await session.execute(select(AccessSource.log_id).where(AccessSource.log_id == log_id).with_for_update())
    new = MultiRange(Range(first, last + 1) for first, last in ranges)
    values = {"log_id": log_id, "node": node, "ranges": new, "base": base}
    row = (await session.execute(_MERGE, values)).one()
    return Watermark(log_id, row.persisted, row.lost)


async def watermarks(session: AsyncSession) -> list[Watermark]:
    """All logs, by id."""
    rows = await session.execute(
        select(AccessSource.log_id, AccessSource.persisted, AccessSource.lost).order_by(AccessSource.log_id)
    )
    return [Watermark(*row) for row in rows]


async def every(session: AsyncSession) -> list[AccessSource]:
    """All logs with their nodes, the last heard first."""
    rows = await session.execute(select(AccessSource).order_by(AccessSource.last_seen.desc(), AccessSource.log_id))
    return list(rows.scalars())


async def prune(session: AsyncSession, days: int) -> list[str]:
    """Forget logs that were not heard of for `days`; their ids. A log that comes back counts what it has as new."""
    rows = await session.execute(
        delete(AccessSource)
        .where(AccessSource.last_seen < func.now() - timedelta(days=days))
        .returning(AccessSource.log_id),
        execution_options={"synchronize_session": False},
    )
    return list(rows.scalars())
