"""Revisions with their signed deltas and what each changed. No row here is ever changed: reading needs no lock."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, func, insert, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from qg_core.revisions import Change, SubjectKey
from qg_store.models import Published, Revision, RevisionChange
from qg_store.repositories.publishing.batches import batches
from qg_store.repositories.publishing.sealed import SealedRow


async def add_revision(
    session: AsyncSession, *, revision: int, previous: int, delta: bytes, actor: str, summary: str
) -> None:
    """Keep a revision and its signed delta. Publish lock."""
    await session.execute(
        insert(Revision),
        [{"revision": revision, "previous": previous, "delta": delta, "actor": actor, "summary": summary}],
    )


async def apply_changes(session: AsyncSession, revision: int, changes: Sequence[Change]) -> None:
    """Record what `revision` changed and make it what the head names. Publish lock."""
    for batch in batches(changes):
        await session.execute(
            insert(RevisionChange),
            [
                {"revision": revision, "kind": change.kind, "subject_id": change.id, "digest": change.digest}
                for change in batch
            ],
        )
        removed = [(change.kind, change.id) for change in batch if change.digest is None]
        if removed:
            await session.execute(delete(Published).where(tuple_(Published.kind, Published.subject_id).in_(removed)))
        put = [
            {"kind": change.kind, "subject_id": change.id, "digest": change.digest, "revision": revision}
            for change in batch
            if change.digest is not None
        ]
        if put:
            statement = upsert(Published)
            await session.execute(
                statement.on_conflict_do_update(
                    index_elements=[Published.kind, Published.subject_id],
                    set_={"digest": statement.excluded.digest, "revision": statement.excluded.revision},
                ),
                put,
            )


async def delta_sizes(session: AsyncSession, after: int, up_to: int) -> dict[int, int]:
    """revision -> bytes of the signed deltas of the revisions in `(after, up_to]`."""
    rows = await session.execute(
        select(Revision.revision, func.octet_length(Revision.delta).label("size_bytes")).where(
            Revision.revision > after, Revision.revision <= up_to
        )
    )
    return {row.revision: row.size_bytes for row in rows}


async def deltas(session: AsyncSession, after: int, up_to: int, limit: int) -> list[SealedRow]:
    """The signed deltas of the revisions in `(after, up_to]`, in order, at most `limit`."""
    rows = await session.execute(
        select(Revision.revision, Revision.delta)
        .where(Revision.revision > after, Revision.revision <= up_to)
        .order_by(Revision.revision)
        .limit(limit)
    )
    return [SealedRow(row.revision, row.delta) for row in rows]


async def digests_changed(session: AsyncSession, after: int, up_to: int) -> set[str]:
    """Every digest that the revisions in `(after, up_to]` put."""
    rows = await session.execute(
        select(RevisionChange.digest)
        .where(RevisionChange.revision > after, RevisionChange.revision <= up_to, RevisionChange.digest.is_not(None))
        .distinct()
    )
    return {digest for digest in rows.scalars() if digest is not None}


async def definitions_at(session: AsyncSession, revision: int, kinds: Collection[str]) -> dict[SubjectKey, str]:
    """What `revision` named, of these kinds: the last change up to it of each subject."""
    rows = await session.execute(
        select(RevisionChange.kind, RevisionChange.subject_id, RevisionChange.digest)
        .ext(distinct_on(RevisionChange.kind, RevisionChange.subject_id))
        .where(RevisionChange.revision <= revision, RevisionChange.kind.in_(list(kinds)))
        .order_by(RevisionChange.kind, RevisionChange.subject_id, RevisionChange.revision.desc())
    )
    return {SubjectKey(row.kind, row.subject_id): row.digest for row in rows if row.digest is not None}


async def revision_exists(session: AsyncSession, revision: int) -> bool:
    """Whether this revision was ever taken."""
    found = await session.execute(select(Revision.revision).where(Revision.revision == revision))
    return found.scalar_one_or_none() is not None
