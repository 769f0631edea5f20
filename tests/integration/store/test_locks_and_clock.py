"""Locks that nobody waits for, and Postgres' clock, on a real Postgres."""

from datetime import UTC

from qg_store.engine import SessionFactory
from qg_store.repositories import clock
from qg_store.repositories.locks import PARTITIONS_LOCK, RECONCILE_LOCK, give_sign_of_life, try_lock


async def test_one_session_has_a_lock_until_its_transaction_ends(worker_sessions: SessionFactory) -> None:
    async with worker_sessions() as one, worker_sessions() as other:
        assert await try_lock(one, RECONCILE_LOCK)
        await give_sign_of_life(one)
        assert not await try_lock(other, RECONCILE_LOCK)
        assert await try_lock(other, PARTITIONS_LOCK)
        await one.rollback()
        assert await try_lock(other, RECONCILE_LOCK)


async def test_the_clock_goes_on_while_the_transaction_stays_where_it_began(worker_sessions: SessionFactory) -> None:
    async with worker_sessions() as session:
        begun = await clock.begun_at(session)
        assert await clock.now(session) > begun
        assert await clock.begun_at(session) == begun
        assert await clock.today(session) == begun.astimezone(UTC).date()
