"""What is published: spec bytes, the head's manifest, revisions with their signed deltas, checkpoints.

Statements only; the caller holds the lock that a function names and commits. Rows of `specs` and `revision_changes`
are never changed, so reading them needs no lock.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TypeVar

import msgspec
from sqlalchemy import JSON, ColumnElement, cast, delete, func, insert, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from qg_core.revisions import Change, SubjectKey
from qg_store.models import Published, PublishState, Revision, RevisionChange, StoredCheckpoint, StoredSpec

PUBLISH_LOCK = 0x7167_0001
"""Held by whoever takes a revision: one writer at a time, of all control planes."""

ACTIVATION_LOCK = 0x7167_0002
"""Held by whoever puts or removes what is in Redis. Apart from the publish lock: a slow Redis never delays a write."""

ACTIVATION_IDLE_MAX_S = 10

ROWS_PER_STATEMENT = 1_000

ItemT = TypeVar("ItemT")


class Heads(msgspec.Struct, frozen=True):
    """The newest revision taken, and the newest one that is known to be in Redis."""

    head: int
    activated: int


class SpecRow(msgspec.Struct, frozen=True):
    """The bytes of one spec, with what they are of."""

    digest: str
    kind: str
    subject_id: str
    format: int
    body: bytes


class SealedRow(msgspec.Struct, frozen=True):
    """The signed bytes of one delta or checkpoint."""

    revision: int
    body: bytes


class CheckpointMark(msgspec.Struct, frozen=True):
    """Which checkpoint there is, since when, and how large it is."""

    revision: int
    created_at: datetime
    size_bytes: int


async def lock_publishing(session: AsyncSession) -> None:
    """Wait for the publish lock (bounded by the engine's lock timeout); held until the transaction ends."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": PUBLISH_LOCK})


async def lock_activation(session: AsyncSession) -> None:
    """Wait for the activation lock (bounded by the engine's lock timeout); held until the transaction ends.

    Postgres ends the transaction of a holder that says nothing for `ACTIVATION_IDLE_MAX_S`: a control plane that hangs
    must not keep the others from activating.
    """
    timeout = str(ACTIVATION_IDLE_MAX_S * 1_000)
    await session.execute(
        text("SELECT set_config('idle_in_transaction_session_timeout', :timeout, true)"), {"timeout": timeout}
    )
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ACTIVATION_LOCK})


async def heads(session: AsyncSession) -> Heads:
    """Where publishing stands."""
    row = (await session.execute(select(PublishState.head, PublishState.activated))).one()
    return Heads(row.head, row.activated)


async def take_head(session: AsyncSession, revision: int) -> None:
    """Make `revision` the head. Publish lock."""
    await session.execute(update(PublishState).values(head=revision))


async def mark_activated(session: AsyncSession, revision: int) -> None:
    """Note that Redis has everything up to `revision`. Activation lock."""
    await session.execute(
        update(Revision)
        .where(Revision.revision <= revision, Revision.activated_at.is_(None))
        .values(activated_at=func.clock_timestamp())
    )
    await session.execute(update(PublishState).values(activated=func.greatest(PublishState.activated, revision)))


async def published(session: AsyncSession, subjects: Collection[SubjectKey]) -> dict[SubjectKey, SpecRow]:
    """What the head names for these subjects."""
    found: dict[SubjectKey, SpecRow] = {}
    for batch in _batches(subjects):
        rows = await session.execute(
            select(StoredSpec)
            .join(Published, Published.digest == StoredSpec.digest)
            .where(tuple_(Published.kind, Published.subject_id).in_([(key.kind, key.id) for key in batch]))
        )
        for row in rows.scalars():
            found[SubjectKey(row.kind, row.subject_id)] = _spec_row(row)
    return found


async def published_credentials(session: AsyncSession, auth_method_id: str) -> list[str]:
    """The ids of the published credentials of one auth method, also when its rows are gone already."""
    body: ColumnElement[str] = func.convert_from(StoredSpec.body, "UTF8")
    rows = await session.execute(
        select(Published.subject_id)
        .join(StoredSpec, Published.digest == StoredSpec.digest)
        .where(
            Published.kind == "credential", func.json_extract_path_text(_json(body), "auth_method_id") == auth_method_id
        )
    )
    return list(rows.scalars())


async def manifest(session: AsyncSession) -> dict[SubjectKey, str]:
    """Everything that the head names."""
    rows = await session.execute(select(Published.kind, Published.subject_id, Published.digest))
    return {SubjectKey(row.kind, row.subject_id): row.digest for row in rows}


async def store_specs(session: AsyncSession, specs: Iterable[SpecRow]) -> None:
    """Keep these bytes; a digest that is there already has the same ones."""
    for batch in _batches(specs):
        await session.execute(
            upsert(StoredSpec).on_conflict_do_nothing(), [msgspec.structs.asdict(spec) for spec in batch]
        )


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
    for batch in _batches(changes):
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


async def add_checkpoint(session: AsyncSession, checkpoint: SealedRow) -> None:
    """Keep a signed checkpoint. Publish lock."""
    await session.execute(insert(StoredCheckpoint), [msgspec.structs.asdict(checkpoint)])


async def newest_checkpoint(session: AsyncSession, at_most: int) -> SealedRow | None:
    """The newest checkpoint of a revision up to `at_most`."""
    rows = await session.execute(
        select(StoredCheckpoint.revision, StoredCheckpoint.body)
        .where(StoredCheckpoint.revision <= at_most)
        .order_by(StoredCheckpoint.revision.desc())
        .limit(1)
    )
    row = rows.one_or_none()
    return SealedRow(row.revision, row.body) if row else None


async def checkpoint(session: AsyncSession, revision: int) -> SealedRow | None:
    """The checkpoint of exactly this revision."""
    body = (
        await session.execute(select(StoredCheckpoint.body).where(StoredCheckpoint.revision == revision))
    ).scalar_one_or_none()
    return SealedRow(revision, body) if body is not None else None


async def checkpoint_marks(session: AsyncSession) -> list[CheckpointMark]:
    """All checkpoints that are kept, newest first, without their bytes."""
    rows = await session.execute(
        select(
            StoredCheckpoint.revision,
            StoredCheckpoint.created_at,
            func.octet_length(StoredCheckpoint.body).label("size_bytes"),
        ).order_by(StoredCheckpoint.revision.desc())
    )
    return [CheckpointMark(row.revision, row.created_at, row.size_bytes) for row in rows]


async def newest_checkpoint_mark(session: AsyncSession, at_most: int) -> CheckpointMark | None:
    """The newest checkpoint of a revision up to `at_most`, without its bytes."""
    rows = await session.execute(
        select(
            StoredCheckpoint.revision,
            StoredCheckpoint.created_at,
            func.octet_length(StoredCheckpoint.body).label("size_bytes"),
        )
        .where(StoredCheckpoint.revision <= at_most)
        .order_by(StoredCheckpoint.revision.desc())
        .limit(1)
    )
    row = rows.one_or_none()
    return CheckpointMark(row.revision, row.created_at, row.size_bytes) if row else None


async def delta_sizes(session: AsyncSession, after: int, up_to: int) -> dict[int, int]:
    """revision -> bytes of the signed deltas of the revisions in `(after, up_to]`."""
    rows = await session.execute(
        select(Revision.revision, func.octet_length(Revision.delta).label("size_bytes")).where(
            Revision.revision > after, Revision.revision <= up_to
        )
    )
    return {row.revision: row.size_bytes for row in rows}


async def drop_checkpoints(session: AsyncSession, kept: Collection[int]) -> None:
    """Forget all checkpoints older than the newest kept one, but the kept ones. Activation lock."""
    await session.execute(
        delete(StoredCheckpoint).where(
            StoredCheckpoint.revision.not_in(list(kept)), StoredCheckpoint.revision < max(kept)
        )
    )


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


async def specs(session: AsyncSession, digests: Iterable[str], *, per_batch: int = 200) -> AsyncIterator[list[SpecRow]]:
    """These specs, batch by batch."""
    for batch in _batches(digests, per_batch):
        rows = await session.execute(select(StoredSpec).where(StoredSpec.digest.in_(batch)))
        yield [_spec_row(row) for row in rows.scalars()]


async def spec_sizes(session: AsyncSession, digests: Collection[str]) -> dict[str, int]:
    """digest -> bytes of those specs that are kept here."""
    sizes: dict[str, int] = {}
    for batch in _batches(digests):
        rows = await session.execute(
            select(StoredSpec.digest, func.octet_length(StoredSpec.body).label("size_bytes")).where(
                StoredSpec.digest.in_(batch)
            )
        )
        sizes.update({row.digest: row.size_bytes for row in rows})
    return sizes


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


def _json(body: ColumnElement[str]) -> ColumnElement[Mapping[str, object]]:
    return cast(body, JSON)


def _spec_row(row: StoredSpec) -> SpecRow:
    return SpecRow(row.digest, row.kind, row.subject_id, row.format, row.body)


def _batches(items: Iterable[ItemT], size: int = ROWS_PER_STATEMENT) -> Iterable[list[ItemT]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
