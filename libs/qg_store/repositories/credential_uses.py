"""When credentials were last used, as workers see it in the access events."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import Credential, CredentialUse


async def note(session: AsyncSession, uses: Mapping[str, datetime]) -> None:
    """credential id -> when it was used; an earlier time than the known one changes nothing."""
    if not uses:
        return
    statement = upsert(CredentialUse)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[CredentialUse.credential_id],
            set_={"last_used_at": func.greatest(CredentialUse.last_used_at, statement.excluded.last_used_at)},
        ),
        # In one order, for all workers: two that note the same ones can't deadlock.
        [{"credential_id": credential_id, "last_used_at": at} for credential_id, at in sorted(uses.items())],
    )


async def last_used(session: AsyncSession, credential_ids: Collection[str]) -> dict[str, datetime]:
    """credential id -> when it was last used; those that never were are left out."""
    rows = await session.execute(
        select(CredentialUse.credential_id, CredentialUse.last_used_at).where(
            CredentialUse.credential_id.in_(tuple(credential_ids))
        )
    )
    return {row.credential_id: row.last_used_at for row in rows}


async def forget_of_method(session: AsyncSession, method_id: str) -> None:
    """The method is about to be deleted, and its credentials with it."""
    gone = select(Credential.id).where(Credential.auth_method_id == method_id)
    await session.execute(
        delete(CredentialUse).where(CredentialUse.credential_id.in_(gone)),
        execution_options={"synchronize_session": False},
    )
