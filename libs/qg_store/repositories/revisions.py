"""Reading revisions, for the admins who look at them (publishing has its own statements)."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from qg_core.revisions import SubjectKey
from qg_store.models import Revision, RevisionChange, StoredSpec


async def page(session: AsyncSession, before: int | None, limit: int) -> list[Revision]:
    """Newest first, below `before`, without the deltas' bytes."""
    statement = select(Revision).options(defer(Revision.delta)).order_by(Revision.revision.desc()).limit(limit)
    if before is not None:
        statement = statement.where(Revision.revision < before)
    return list((await session.execute(statement)).scalars())


async def by_number(session: AsyncSession, revision: int) -> Revision | None:
    """One revision without its delta's bytes."""
    statement = select(Revision).options(defer(Revision.delta)).where(Revision.revision == revision)
    return (await session.execute(statement)).scalar_one_or_none()


async def changes(session: AsyncSession, revision: int, limit: int) -> Sequence[RevisionChange]:
    """What a revision changed, by kind and id, at most `limit`."""
    statement = (
        select(RevisionChange)
        .where(RevisionChange.revision == revision)
        .order_by(RevisionChange.kind, RevisionChange.subject_id)
        .limit(limit)
    )
    return (await session.execute(statement)).scalars().all()


async def touched_between(session: AsyncSession, low: int, high: int) -> list[SubjectKey]:
    """Every subject that the revisions in `(low, high]` changed, sorted."""
    statement = (
        select(RevisionChange.kind, RevisionChange.subject_id)
        .where(RevisionChange.revision > low, RevisionChange.revision <= high)
        .distinct()
    )
    return sorted(SubjectKey(row.kind, row.subject_id) for row in await session.execute(statement))


async def digests_at(session: AsyncSession, revision: int, subjects: Collection[SubjectKey]) -> dict[SubjectKey, str]:
    """The digests of these subjects as of `revision`; those that were not published then are left out."""
    ids = {key.id for key in subjects}
    rows = await session.execute(
        select(RevisionChange.kind, RevisionChange.subject_id, RevisionChange.digest)
        .ext(distinct_on(RevisionChange.kind, RevisionChange.subject_id))
        .where(RevisionChange.revision <= revision, RevisionChange.subject_id.in_(ids))
        .order_by(RevisionChange.kind, RevisionChange.subject_id, RevisionChange.revision.desc())
    )
    return {SubjectKey(row.kind, row.subject_id): row.digest for row in rows if row.digest is not None}


async def bodies(session: AsyncSession, digests: Collection[str]) -> dict[str, bytes]:
    """The bytes of these specs."""
    rows = await session.execute(select(StoredSpec.digest, StoredSpec.body).where(StoredSpec.digest.in_(digests)))
    return {row.digest: row.body for row in rows}
