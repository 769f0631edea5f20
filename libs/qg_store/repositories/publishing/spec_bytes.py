"""Spec bytes and the manifest of the head. Rows of `specs` are never changed, so reading them needs no lock."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping

import msgspec
from sqlalchemy import JSON, ColumnElement, cast, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from qg_core.revisions import SubjectKey
from qg_store.models import Published, StoredSpec
from qg_store.repositories.publishing.batches import batches


class SpecRow(msgspec.Struct, frozen=True):
    """The bytes of one spec, with what they are of."""

    digest: str
    kind: str
    subject_id: str
    format: int
    body: bytes


async def published(session: AsyncSession, subjects: Collection[SubjectKey]) -> dict[SubjectKey, SpecRow]:
    """What the head names for these subjects."""
    found: dict[SubjectKey, SpecRow] = {}
    for batch in batches(subjects):
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
    for batch in batches(specs):
        await session.execute(
            upsert(StoredSpec).on_conflict_do_nothing(), [msgspec.structs.asdict(spec) for spec in batch]
        )


async def specs(session: AsyncSession, digests: Iterable[str], *, per_batch: int = 200) -> AsyncIterator[list[SpecRow]]:
    """These specs, batch by batch."""
    for batch in batches(digests, per_batch):
        rows = await session.execute(select(StoredSpec).where(StoredSpec.digest.in_(batch)))
        yield [_spec_row(row) for row in rows.scalars()]


async def spec_sizes(session: AsyncSession, digests: Collection[str]) -> dict[str, int]:
    """digest -> bytes of those specs that are kept here."""
    sizes: dict[str, int] = {}
    for batch in batches(digests):
        rows = await session.execute(
            select(StoredSpec.digest, func.octet_length(StoredSpec.body).label("size_bytes")).where(
                StoredSpec.digest.in_(batch)
            )
        )
        sizes.update({row.digest: row.size_bytes for row in rows})
    return sizes


def _json(body: ColumnElement[str]) -> ColumnElement[Mapping[str, object]]:
    return cast(body, JSON)


def _spec_row(row: StoredSpec) -> SpecRow:
    return SpecRow(row.digest, row.kind, row.subject_id, row.format, row.body)
