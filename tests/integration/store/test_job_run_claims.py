"""Claims on a real Postgres, as the workers' role: races, leases, fencing, slots."""

import asyncio
from collections import Counter

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from qg_core.job_runs import TRANSITIONS, RunStatus
from qg_store.engine import SessionFactory
from qg_store.models import JobRun
from qg_store.repositories import job_runs, schedules
from qg_store.repositories.job_runs import ClaimedRun, Held, Reaped
from tests.fixtures.store import StoreUrls
from tests.integration.store.rows import make_queued, make_schedules

_LEASE_S = 8.0
_SLOTS = "SELECT count(*) FROM job_slots WHERE run_id IS NOT NULL"


async def _claim(sessions: SessionFactory, *, worker: str = "w", slots_max: int = 4) -> ClaimedRun | None:
    async with sessions() as session:
        claimed = await job_runs.claim(session, worker, slots_max, _LEASE_S)
        await session.commit()
    return claimed


async def _must_claim(sessions: SessionFactory, *, worker: str = "w") -> ClaimedRun:
    claimed = await _claim(sessions, worker=worker)
    assert claimed is not None
    return claimed


async def _finish(sessions: SessionFactory, run: ClaimedRun, status: str = "success") -> bool:
    async with sessions() as session:
        done = await job_runs.finish(session, run.run_id, run.token, status, 3, None)
        await session.commit()
    return done


async def _row(sessions: SessionFactory, run_id: str) -> JobRun:
    async with sessions() as session:
        run = await job_runs.one(session, run_id)
    assert run is not None
    return run


async def _busy_slots(sessions: SessionFactory) -> int:
    async with sessions() as session:
        return int(await session.scalar(text(_SLOTS)) or 0)


async def _expire_leases(urls: StoreUrls) -> None:
    connection = await asyncpg.connect(urls.superuser)
    await connection.execute("UPDATE job_runs SET lease_until = now() - interval '1 second' WHERE status = 'running'")
    await connection.close()


async def test_a_claim_holds_a_slot_and_a_lease(app_sessions: SessionFactory, worker_sessions: SessionFactory) -> None:
    (schedule,) = await make_schedules(app_sessions, 1)
    (run_id,) = await make_queued(app_sessions, schedule, 1)
    claimed = await _must_claim(worker_sessions, worker="w-1")
    assert (claimed.run_id, claimed.schedule_id, claimed.endpoint_id) == (run_id, schedule.id, schedule.endpoint_id)
    assert (claimed.attempt, claimed.token, claimed.slot, claimed.reason) == (1, 1, 1, "manual")
    assert (claimed.lease_until - claimed.started_at).total_seconds() == pytest.approx(_LEASE_S, abs=0.5)
    row = await _row(worker_sessions, run_id)
    assert (row.status, row.worker, row.slot) == ("running", "w-1", 1)
    assert await _busy_slots(worker_sessions) == 1
    assert await _claim(worker_sessions) is None

    assert await _finish(worker_sessions, claimed)
    row = await _row(worker_sessions, run_id)
    assert (row.status, row.row_count, row.slot, row.lease_until) == ("success", 3, None, None)
    assert await _busy_slots(worker_sessions) == 0
    async with worker_sessions() as session:
        stored = await schedules.by_id(session, schedule.id)
    assert stored is not None
    assert stored.last_run_at == row.finished_at


async def test_ten_claimers_at_once(app_sessions: SessionFactory, worker_sessions: SessionFactory) -> None:
    """No run is claimed twice, never more are live than there are slots, never two of one schedule."""
    slots_max = 4
    runs: set[str] = set()
    for schedule in await make_schedules(app_sessions, 12):
        runs.update(await make_queued(app_sessions, schedule, 3))
    live: dict[str, str | None] = {}
    live_max = 0
    claims: Counter[str] = Counter()

    async def work(worker: str) -> None:
        nonlocal live_max
        while len(claims) < len(runs):
            claimed = await _claim(worker_sessions, worker=worker, slots_max=slots_max)
            if claimed is None:
                await asyncio.sleep(0.01)
                continue
            assert claimed.schedule_id not in live.values()
            claims[claimed.run_id] += 1
            live[claimed.run_id] = claimed.schedule_id
            live_max = max(live_max, len(live), await _busy_slots(worker_sessions))
            del live[claimed.run_id]
            assert await _finish(worker_sessions, claimed)

    await asyncio.wait_for(asyncio.gather(*(work(f"w-{index}") for index in range(10))), 60)
    assert set(claims) == runs
    assert set(claims.values()) == {1}
    assert 1 < live_max <= slots_max
    assert await _busy_slots(worker_sessions) == 0


async def test_two_runs_of_one_schedule_claimed_together(
    app_sessions: SessionFactory, worker_sessions: SessionFactory
) -> None:
    """The second claimer can't see the first one's claim; the unique index stops it, and its transaction stays good."""
    (schedule,) = await make_schedules(app_sessions, 1)
    await make_queued(app_sessions, schedule, 2)
    async with worker_sessions() as first, worker_sessions() as second:
        taken = await job_runs.claim(first, "w-1", 4, _LEASE_S)
        waiting = asyncio.create_task(job_runs.claim(second, "w-2", 4, _LEASE_S))
        await _until_somebody_waits_for_a_lock(first)
        await first.commit()
        assert taken is not None
        assert await waiting is None
        assert await second.scalar(text("SELECT 1")) == 1
        await second.commit()
    assert await _busy_slots(worker_sessions) == 1


async def _until_somebody_waits_for_a_lock(session: AsyncSession) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()")
    async with asyncio.timeout(10):
        while not await session.scalar(waiting):  # noqa: ASYNC110 - Postgres has no event for it
            await asyncio.sleep(0.01)


async def test_a_lowered_limit_counts_the_slots_beyond_it(
    app_sessions: SessionFactory, worker_sessions: SessionFactory
) -> None:
    for schedule in await make_schedules(app_sessions, 6):
        await make_queued(app_sessions, schedule, 1)
    held = [await _claim(worker_sessions, slots_max=4) for _ in range(4)]
    first, second, third, fourth = [run for run in held if run is not None]
    assert [first.slot, second.slot, third.slot, fourth.slot] == [1, 2, 3, 4]
    await _finish(worker_sessions, first)
    await _finish(worker_sessions, second)
    # Slots 1 and 2 are free, but 3 and 4 are still live.
    assert await _claim(worker_sessions, slots_max=2) is None
    await _finish(worker_sessions, third)
    now_free = await _claim(worker_sessions, slots_max=2)
    assert now_free is not None
    assert now_free.slot == 1
    assert await _claim(worker_sessions, slots_max=2) is None


async def test_an_old_token_writes_nothing(
    store_urls: StoreUrls, app_sessions: SessionFactory, worker_sessions: SessionFactory
) -> None:
    """A worker that was stopped while another took its run over."""
    (schedule,) = await make_schedules(app_sessions, 1)
    await make_queued(app_sessions, schedule, 1)
    stopped = await _must_claim(worker_sessions, worker="stopped")
    await _expire_leases(store_urls)
    async with worker_sessions() as session:
        (reaped,) = await job_runs.reap(session, 3, 0.0)
        await session.commit()
    assert (reaped.run_id, reaped.worker, reaped.status, reaped.attempt) == (stopped.run_id, "stopped", "queued", 1)
    successor = await _must_claim(worker_sessions, worker="successor")
    assert (successor.run_id, successor.attempt) == (stopped.run_id, 2)
    assert successor.token == stopped.token + 2

    before = await _row(worker_sessions, stopped.run_id)
    assert not await _finish(worker_sessions, stopped)
    async with worker_sessions() as session:
        assert not await job_runs.hand_back(session, stopped.run_id, stopped.token, 0.0, True)
        await session.commit()
    connection = await asyncpg.connect(store_urls.worker)
    held = [Held(stopped.run_id, stopped.token), Held(successor.run_id, successor.token)]
    assert await job_runs.extend(connection, held, _LEASE_S) == [held[1]]
    await connection.close()
    after = await _row(worker_sessions, stopped.run_id)
    assert (after.status, after.worker, after.token) == (before.status, "successor", successor.token)
    assert await _busy_slots(worker_sessions) == 1
    assert await _finish(worker_sessions, successor)
    assert not await _finish(worker_sessions, successor)


async def test_a_lease_lives_as_long_as_it_is_extended(
    store_urls: StoreUrls, app_sessions: SessionFactory, worker_sessions: SessionFactory
) -> None:
    (schedule,) = await make_schedules(app_sessions, 1)
    await make_queued(app_sessions, schedule, 1)
    claimed = await _must_claim(worker_sessions)
    await _expire_leases(store_urls)
    connection = await asyncpg.connect(store_urls.worker)
    held = [Held(claimed.run_id, claimed.token)]
    assert await job_runs.extend(connection, held, 30.0) == held
    assert await job_runs.extend(connection, [], 30.0) == []
    await connection.close()
    async with worker_sessions() as session:
        assert await job_runs.reap(session, 3, 0.0) == []
    assert await _finish(worker_sessions, claimed)


async def test_the_reaper_gives_up_after_the_last_attempt(
    store_urls: StoreUrls, app_sessions: SessionFactory, worker_sessions: SessionFactory
) -> None:
    (schedule,) = await make_schedules(app_sessions, 1)
    (run_id,) = await make_queued(app_sessions, schedule, 1)
    statuses = []
    for _ in range(3):
        await _must_claim(worker_sessions)
        await _expire_leases(store_urls)
        async with worker_sessions() as one, worker_sessions() as other:
            found = await asyncio.gather(job_runs.reap(one, 3, 0.0), job_runs.reap(other, 3, 0.0))
            await one.commit()
            await other.commit()
        (reaped,) = [run for runs in found for run in runs]
        statuses.append(reaped.status)
    assert statuses == ["queued", "queued", "lost"]
    row = await _row(worker_sessions, run_id)
    assert row.finished_at is not None
    assert row.error_detail is not None
    assert "not heard of" in row.error_detail
    assert await _busy_slots(worker_sessions) == 0
    assert await _claim(worker_sessions) is None


async def test_handing_back(app_sessions: SessionFactory, worker_sessions: SessionFactory) -> None:
    (schedule,) = await make_schedules(app_sessions, 1)
    (run_id,) = await make_queued(app_sessions, schedule, 1)
    for attempt_counts, expected in ((False, 1), (True, 1), (True, 2)):
        claimed = await _must_claim(worker_sessions)
        assert claimed.attempt == expected
        async with worker_sessions() as session:
            assert await job_runs.hand_back(
                session, run_id, claimed.token, 0.0, attempt_counts, "busy\x00" + "x" * 9000
            )
            await session.commit()
        row = await _row(worker_sessions, run_id)
        assert row.error_detail is not None
        assert (row.status, row.token, len(row.error_detail)) == ("queued", claimed.token + 1, 2000)
    claimed = await _must_claim(worker_sessions)
    async with worker_sessions() as session:
        assert await job_runs.hand_back(session, run_id, claimed.token, 60.0, True)
        await session.commit()
    assert await _claim(worker_sessions) is None, "it is available in a minute only"
    assert await _busy_slots(worker_sessions) == 0


@pytest.mark.fault
async def test_a_worker_that_stops_before_its_commit_keeps_nothing_locked(
    store_urls: StoreUrls,
    app_sessions: SessionFactory,
    worker_sessions: SessionFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stopped, not killed: its connection lives on. Postgres ends its transaction, and the reaper gets the run."""
    monkeypatch.setattr("qg_store.repositories.job_runs.claims.CLAIM_IDLE_MAX_S", 0.5)
    (schedule,) = await make_schedules(app_sessions, 1)
    await make_queued(app_sessions, schedule, 1)
    claimed = await _must_claim(worker_sessions)
    await _expire_leases(store_urls)
    async with worker_sessions() as stopped:
        assert await job_runs.finish(stopped, claimed.run_id, claimed.token, "success", 1, None)
        async with worker_sessions() as session:
            assert await job_runs.reap(session, 3, 0.0) == [], "the row is locked"
        async with asyncio.timeout(10):
            while not (reaped := await _reap(worker_sessions)):  # noqa: ASYNC110 - Postgres has no event for it
                await asyncio.sleep(0.05)
        assert [run.run_id for run in reaped] == [claimed.run_id]
        with pytest.raises(DBAPIError):
            await stopped.commit()
    row = await _row(worker_sessions, claimed.run_id)
    assert (row.status, row.row_count) == ("queued", None)


async def _reap(sessions: SessionFactory, *, attempts_max: int = 3) -> list[Reaped]:
    async with sessions() as session:
        reaped = await job_runs.reap(session, attempts_max, 0.0)
        await session.commit()
    return reaped


_NOTE_CHANGES = """
CREATE TABLE changes (before text, after text);
CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN INSERT INTO changes VALUES (OLD.status, NEW.status); RETURN NULL; END $$;
CREATE TRIGGER note_change AFTER UPDATE ON job_runs FOR EACH ROW WHEN (OLD.status <> NEW.status)
    EXECUTE FUNCTION note_change();
"""


async def test_the_statements_make_the_transitions_there_are_and_no_other(
    store_urls: StoreUrls, app_sessions: SessionFactory, worker_sessions: SessionFactory
) -> None:
    superuser = await asyncpg.connect(store_urls.superuser)
    try:
        await superuser.execute(_NOTE_CHANGES)
        (schedule,) = await make_schedules(app_sessions, 1)
        await make_queued(app_sessions, schedule, 6)
        for status in (RunStatus.SUCCESS, RunStatus.FAILED, RunStatus.TIMEOUT):
            assert await _finish(worker_sessions, await _must_claim(worker_sessions), status)
        claimed = await _must_claim(worker_sessions)
        async with worker_sessions.begin() as session:
            assert await job_runs.hand_back(session, claimed.run_id, claimed.token, 0.0, True)
        for attempts_max in (3, 1):
            await _must_claim(worker_sessions)
            await _expire_leases(store_urls)
            assert await _reap(worker_sessions, attempts_max=attempts_max)
        async with worker_sessions.begin() as session:
            assert await job_runs.cancel_queued(session, schedule.id, "paused")
        made = {(row["before"], row["after"]) for row in await superuser.fetch("SELECT * FROM changes")}
    finally:
        await superuser.close()
    assert made == {(before, after) for before, following in TRANSITIONS.items() for after in following}


async def test_a_run_can_only_end_in_a_final_status(worker_sessions: SessionFactory) -> None:
    async with worker_sessions() as session:
        for status in ("running", "queued", "skipped", "done"):
            with pytest.raises(ValueError, match=status):
                await job_runs.finish(session, "00000000-0000-4000-8000-000000000000", 1, status, None, None)


async def test_deleting_a_schedule_while_its_run_ends(
    app_sessions: SessionFactory, worker_sessions: SessionFactory
) -> None:
    """Both lock the schedule's row first: neither is a victim of a deadlock."""
    for schedule in await make_schedules(app_sessions, 10):
        (run_id,) = await make_queued(app_sessions, schedule, 1)
        claimed = await _must_claim(worker_sessions)

        async def remove(schedule_id: str) -> None:
            async with app_sessions() as session:
                row = await schedules.locked(session, schedule_id)
                assert row is not None
                await schedules.delete(session, row)
                await session.commit()

        done, _ = await asyncio.wait_for(asyncio.gather(_finish(worker_sessions, claimed), remove(schedule.id)), 20)
        assert done
        assert (await _row(worker_sessions, run_id)).schedule_id is None
