"""One worker at a time reconciles: an advisory lock that is tried and never waited for."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from qg_bundle.link import end_tasks
from qg_store.engine import SessionFactory
from qg_store.repositories.locks import RECONCILE_LOCK, give_sign_of_life, try_lock
from qg_store.repositories.statements import bound_idle

HOLDER_SILENT_MAX_S = 6
"""Postgres ends the transaction of a holder that says nothing for so long: a worker that hangs is soon replaced."""

SIGN_OF_LIFE_EVERY_S = 2.0
LAST_SIGN_WAIT_S = 2.0


@contextlib.asynccontextmanager
async def turn(sessions: SessionFactory) -> AsyncIterator[bool]:
    """Whether it is this worker's turn; if so, no other's until the block ends. Takes one connection.

    Should the lock be lost on the way (Postgres restarts), the block goes on: all that it does may be done by two.
    Raises what SQLAlchemy raises.
    """
    session = sessions()
    try:
        if not await _is_taken(session):
            yield False
            return
        over = asyncio.Event()
        signs = asyncio.create_task(_give_signs_of_life(session, over))
        try:
            yield True
        finally:
            over.set()
            # Cancelled only where Postgres does not answer: a cancelled call leaves a session of no use.
            await asyncio.wait([signs], timeout=LAST_SIGN_WAIT_S)
            await end_tasks(signs)
    finally:
        try:
            await session.close()
        except (SQLAlchemyError, OSError):
            # Lost on the way, and with it the lock: there is nothing to give back.
            await session.invalidate()


async def _is_taken(session: AsyncSession) -> bool:
    await bound_idle(session, HOLDER_SILENT_MAX_S)
    return await try_lock(session, RECONCILE_LOCK)


async def _give_signs_of_life(session: AsyncSession, over: asyncio.Event) -> None:
    """One statement now and then, until `over`; ends early when the session is lost."""
    with contextlib.suppress(SQLAlchemyError, OSError):
        while not over.is_set():
            try:
                async with asyncio.timeout(SIGN_OF_LIFE_EVERY_S):
                    await over.wait()
            except TimeoutError:
                await give_sign_of_life(session)
