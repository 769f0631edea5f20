"""Advisory locks that one worker of many holds. They end with the transaction, and nobody waits for them.

Their numbers are beside those of the publish and activation locks (`repositories.publishing`).
"""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

RECONCILE_LOCK = 0x7167_0003
"""Held by the worker whose turn it is to reconcile."""

PARTITIONS_LOCK = 0x7167_0010
"""Held by whoever removes what has aged of the access log."""


async def try_lock(session: AsyncSession, lock: int) -> bool:
    """Take the lock until the transaction ends. False: another session has it."""
    return bool(await session.scalar(select(func.pg_try_advisory_xact_lock(lock))))


async def give_sign_of_life(session: AsyncSession) -> None:
    """A statement that does nothing: Postgres goes on counting the transaction as one of somebody who lives."""
    await session.execute(select(1))
