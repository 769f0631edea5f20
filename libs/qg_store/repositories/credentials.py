"""Credentials."""

from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import Credential
from qg_store.repositories.unique import flush_unique


async def live_by_id(session: AsyncSession, method_id: str, credential_id: str) -> Credential | None:
    """One credential of the method that is not revoked."""
    return (await session.execute(_live(method_id).where(Credential.id == credential_id))).scalar_one_or_none()


async def live_by_consumer(session: AsyncSession, method_id: str, consumer: str) -> Credential | None:
    """The credential of a consumer that is not revoked."""
    return (await session.execute(_live(method_id).where(Credential.consumer == consumer))).scalar_one_or_none()


async def live(session: AsyncSession, method_id: str) -> list[Credential]:
    """All of a method that are not revoked, by consumer."""
    return list((await session.execute(_live(method_id).order_by(Credential.consumer))).scalars())


async def save(session: AsyncSession, credential: Credential) -> None:
    """Add or update. Raises `NameTaken`."""
    session.add(credential)
    await flush_unique(
        session, {"uq_credentials_live_consumer": "This consumer already has a credential here; revoke it first."}
    )


async def revoke(session: AsyncSession, method_id: str, credential_id: str | None = None) -> list[str]:
    """Revoke one credential or all of a method, and forget their secrets; the ids that were revoked."""
    statement = (
        update(Credential)
        .where(Credential.auth_method_id == method_id, Credential.revoked_at.is_(None))
        .values(revoked_at=func.now(), sealed=None)
        .returning(Credential.id)
    )
    if credential_id is not None:
        statement = statement.where(Credential.id == credential_id)
    return list((await session.execute(statement, execution_options={"synchronize_session": "fetch"})).scalars())


def _live(method_id: str) -> Select[Credential]:
    return select(Credential).where(Credential.auth_method_id == method_id, Credential.revoked_at.is_(None))
