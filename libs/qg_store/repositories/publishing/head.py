"""The head, what is activated of it, and the two locks that order writers."""

import msgspec
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import PublishState, Revision
from qg_store.repositories.statements import bound_idle

PUBLISH_LOCK = 0x7167_0001
"""Held by whoever takes a revision: one writer at a time, of all control planes."""

ACTIVATION_LOCK = 0x7167_0002
"""Held by whoever puts or removes what is in Redis. Apart from the publish lock: a slow Redis never delays a write."""

ACTIVATION_IDLE_MAX_S = 10


class Heads(msgspec.Struct, frozen=True):
    """The newest revision taken, and the newest one that is known to be in Redis."""

    head: int
    activated: int


async def lock_publishing(session: AsyncSession) -> None:
    """Wait for the publish lock (bounded by the engine's lock timeout); held until the transaction ends."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": PUBLISH_LOCK})


async def lock_activation(session: AsyncSession) -> None:
    """Wait for the activation lock (bounded by the engine's lock timeout); held until the transaction ends.

    Postgres ends the transaction of a holder that says nothing for `ACTIVATION_IDLE_MAX_S`: a control plane that hangs
    must not keep the others from activating.
    """
    await bound_idle(session, ACTIVATION_IDLE_MAX_S)
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
