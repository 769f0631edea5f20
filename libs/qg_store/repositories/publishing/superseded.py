"""Specs that nothing names any more: they stay for the record and for rollbacks, which need none of their secrets."""

from collections.abc import Collection

from sqlalchemy import ARRAY, ColumnElement, String, cast, exists, func, select
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import Published, StoredSpec
from qg_store.repositories.publishing.spec_bytes import SpecRow

SEALED_KINDS = ("connection", "auth_method", "credential")


async def superseded_with_secrets(session: AsyncSession, after: str, limit: int) -> list[SpecRow]:
    """The next specs by digest after `after` that the head does not name and that hold a secret, at most `limit`."""
    body = cast(func.convert_from(StoredSpec.body, "UTF8"), JSON)
    sealed: ColumnElement[str] = func.coalesce(func.json_extract_path_text(body, "sealed"), "")
    rows = await session.execute(
        select(StoredSpec.digest, StoredSpec.kind, StoredSpec.subject_id, StoredSpec.format, StoredSpec.body)
        .where(
            StoredSpec.digest > after,
            StoredSpec.kind.in_(SEALED_KINDS),
            ~exists().where(Published.digest == StoredSpec.digest),
            sealed != "",
        )
        .order_by(StoredSpec.digest)
        .limit(limit)
    )
    return [SpecRow(*row) for row in rows]


async def strip_superseded(session: AsyncSession, digests: Collection[str]) -> int:
    """Take the secrets out of those of these specs that the head does not name; how many. Publish lock.

    What is left no longer has its digest, so no node would take it.
    """
    wanted = cast(list(digests), ARRAY(String))
    return int(await session.scalar(select(func.qg_strip_superseded_specs(wanted))) or 0)
