"""Planning on a real Postgres: one row per planned time, whoever races."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from qg_store.engine import SessionFactory
from qg_store.models import JobRun, Schedule
from qg_store.repositories import job_runs, schedules
from qg_store.repositories.job_runs import Planned, RunFilter
from tests.integration.store.rows import make_queued, make_schedules

_EVERY = timedelta(seconds=10)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


async def _plan_due(worker: SessionFactory, now: datetime, *, limit: int = 100) -> list[Planned]:
    """What the scheduler does in one tick."""
    found = []
    async with worker() as session:
        for schedule in await schedules.lock_due(session, limit):
            assert schedule.next_run_at is not None
            count = int((now - schedule.next_run_at) / _EVERY) + 1
            due = [schedule.next_run_at + index * _EVERY for index in range(count)]
            planned = await job_runs.plan(session, schedule, due, due[-1] + _EVERY, now)
            if planned is not None:
                found.append(planned)
        await session.commit()
    return found


async def _runs(worker: SessionFactory, schedule: Schedule) -> list[JobRun]:
    """Of a schedule, the first planned first."""
    async with worker() as session:
        return (await job_runs.page(session, RunFilter(schedule_id=schedule.id), 10_000))[::-1]


async def test_a_due_schedule(app_sessions: SessionFactory, worker_sessions: SessionFactory) -> None:
    now = _now()
    (schedule,) = await make_schedules(app_sessions, 1, next_run_at=now)
    (planned,) = await _plan_due(worker_sessions, now)
    assert planned.skipped == 0
    (run,) = await _runs(worker_sessions, schedule)
    assert (run.id, run.status, run.reason, run.planned_at) == (planned.queued, "queued", "schedule", now)
    async with worker_sessions() as session:
        stored = await schedules.by_id(session, schedule.id)
        assert stored is not None
        assert stored.next_run_at == now + _EVERY
        assert stored.updated_at == schedule.updated_at, "that is when an admin saved it"
    assert await _plan_due(worker_sessions, now) == []


async def test_missed_times_are_on_record_and_one_run_stands_for_them(
    app_sessions: SessionFactory, worker_sessions: SessionFactory
) -> None:
    now = _now()
    (schedule,) = await make_schedules(app_sessions, 1, next_run_at=now - 6_000 * _EVERY)
    (planned,) = await _plan_due(worker_sessions, now)
    assert planned.skipped == 6_000
    runs = await _runs(worker_sessions, schedule)
    assert [run.planned_at for run in runs] == [now - index * _EVERY for index in range(6_000, -1, -1)]
    assert {run.status for run in runs[:-1]} == {"skipped"}
    assert all(run.finished_at is not None and "stands for this one" in str(run.error_detail) for run in runs[:-1])
    assert (runs[-1].status, runs[-1].finished_at) == ("queued", None)


async def test_a_time_is_skipped_while_the_run_before_it_is_not_finished(
    app_sessions: SessionFactory, worker_sessions: SessionFactory
) -> None:
    now = _now()
    (schedule,) = await make_schedules(app_sessions, 1, next_run_at=now - _EVERY)
    await _plan_due(worker_sessions, now - _EVERY)
    async with worker_sessions() as session:
        claimed = await job_runs.claim(session, "w", 4, 8.0)
        await session.commit()
    assert claimed is not None
    (planned,) = await _plan_due(worker_sessions, now)
    assert planned == Planned(None, 1)
    second = (await _runs(worker_sessions, schedule))[1]
    assert (second.status, second.planned_at) == ("skipped", now)
    assert claimed.planned_at.isoformat() in str(second.error_detail)


async def test_a_manual_run_does_not_displace_a_planned_one(
    app_sessions: SessionFactory, worker_sessions: SessionFactory
) -> None:
    now = _now()
    (schedule,) = await make_schedules(app_sessions, 1, next_run_at=now)
    await make_queued(app_sessions, schedule, 1)
    (planned,) = await _plan_due(worker_sessions, now)
    assert planned.queued is not None


async def test_schedulers_that_tick_together(app_sessions: SessionFactory, worker_sessions: SessionFactory) -> None:
    now = _now()
    made = await make_schedules(app_sessions, 15, next_run_at=now - 4 * _EVERY)
    found = await asyncio.gather(*(_plan_due(worker_sessions, now, limit=5) for _ in range(10)))
    while more := await _plan_due(worker_sessions, now):
        found.append(more)
    planned = [one for each in found for one in each]
    assert len(planned) == len(made)
    for schedule in made:
        runs = await _runs(worker_sessions, schedule)
        assert [run.planned_at for run in runs] == [now - index * _EVERY for index in range(4, -1, -1)]
        assert [run.status for run in runs] == ["skipped"] * 4 + ["queued"]


async def test_plan_needs_no_other_lock(app_sessions: SessionFactory, worker_sessions: SessionFactory) -> None:
    """Two that read the same schedule and plan it without having locked it: one of them does."""
    now = _now()
    (schedule,) = await make_schedules(app_sessions, 1, next_run_at=now)

    async def plan() -> Planned | None:
        async with worker_sessions() as session:
            planned = await job_runs.plan(session, schedule, [now], now + _EVERY, now)
            await session.commit()
        return planned

    found = await asyncio.gather(*(plan() for _ in range(8)))
    assert [one.skipped for one in found if one is not None] == [0]
    assert len(await _runs(worker_sessions, schedule)) == 1
    assert await plan() is None, "it was planned since the schedule was read"


async def test_a_time_that_has_its_row_gets_no_other_one(
    app_sessions: SessionFactory, worker_sessions: SessionFactory
) -> None:
    """An admin moved `next_run_at` back, as an edited schedule may."""
    now = _now()
    (schedule,) = await make_schedules(app_sessions, 1, next_run_at=now)
    await _plan_due(worker_sessions, now)
    async with worker_sessions() as session:
        claimed = await job_runs.claim(session, "w", 4, 8.0)
        assert claimed is not None
        assert await job_runs.finish(session, claimed.run_id, claimed.token, "success", 1, None)
        await session.commit()
    async with app_sessions() as session:
        await session.execute(text("UPDATE schedules SET next_run_at = :at"), {"at": now})
        await session.commit()
    assert await _plan_due(worker_sessions, now) == [Planned(None, 0)]
    (run,) = await _runs(worker_sessions, schedule)
    assert run.status == "success"


async def test_paused_and_future_schedules_are_left_alone(
    app_sessions: SessionFactory, worker_sessions: SessionFactory
) -> None:
    now = _now()
    paused, future = await make_schedules(app_sessions, 2, next_run_at=now)
    async with app_sessions() as session:
        await session.execute(text("UPDATE schedules SET is_active = false WHERE id = :id"), {"id": paused.id})
        await session.execute(
            text("UPDATE schedules SET next_run_at = now() + interval '1 hour' WHERE id = :id"), {"id": future.id}
        )
        await session.commit()
    assert await _plan_due(worker_sessions, now) == []
    async with worker_sessions() as session:
        assert await job_runs.plan(session, paused, [now], None, now) is None


async def test_no_run_is_planned_ahead(app_sessions: SessionFactory, worker_sessions: SessionFactory) -> None:
    now = _now()
    (schedule,) = await make_schedules(app_sessions, 1, next_run_at=now)
    async with worker_sessions() as session:
        with pytest.raises(ValueError, match="before its time"):
            await job_runs.plan(session, schedule, [now + _EVERY], None, now)


async def test_asking_twice_for_a_run_gives_the_one_that_waits(
    app_sessions: SessionFactory, worker_sessions: SessionFactory
) -> None:
    (schedule,) = await make_schedules(app_sessions, 1)
    async with app_sessions() as session:
        first = await job_runs.enqueue(session, schedule, "manual")
        await session.commit()
        assert (first.status, first.attempt) == ("queued", 0)
        again = await job_runs.enqueue(session, schedule, "spec_changed")
        assert again.id == first.id
        # It is locked: it can't start before what led to the second call is committed.
        async with worker_sessions() as worker:
            assert await job_runs.claim(worker, "w", 4, 8.0) is None
        await session.commit()
    async with worker_sessions() as worker:
        claimed = await job_runs.claim(worker, "w", 4, 8.0)
        assert claimed is not None
        assert claimed.run_id == first.id
        # Being claimed right now: it may have read what was true before.
        async with app_sessions() as session:
            other = await job_runs.enqueue(session, schedule, "spec_changed")
            assert other.id != first.id
            await session.commit()
        await worker.commit()


async def test_cancelling_what_waits(app_sessions: SessionFactory, worker_sessions: SessionFactory) -> None:
    (schedule,) = await make_schedules(app_sessions, 1)
    await make_queued(app_sessions, schedule, 3)
    async with worker_sessions() as worker:
        assert await job_runs.claim(worker, "w", 4, 8.0) is not None
        await worker.commit()
    async with app_sessions() as session:
        assert await job_runs.cancel_queued(session, schedule.id, "the schedule was paused") == 2
        await session.commit()
    runs = await _runs(worker_sessions, schedule)
    assert [run.status for run in runs] == ["running", "skipped", "skipped"]
    assert runs[1].error_detail == "the schedule was paused"


async def test_pages_and_pruning(app_sessions: SessionFactory, worker_sessions: SessionFactory) -> None:
    one, other = await make_schedules(app_sessions, 2)
    ids = await make_queued(app_sessions, one, 3)
    await make_queued(app_sessions, other, 2)
    async with app_sessions() as session:
        assert [run.id for run in await job_runs.page(session, RunFilter(schedule_id=one.id), 2)] == ids[:0:-1]
        assert len(await job_runs.page(session, RunFilter(endpoint_id=other.endpoint_id), 50)) == 2
        assert len(await job_runs.page(session, RunFilter(), 50)) == 5
        await job_runs.cancel_queued(session, one.id, "x")
        await session.execute(
            text("UPDATE job_runs SET finished_at = now() - interval '31 days' WHERE id = :id"), {"id": ids[0]}
        )
        await session.commit()
    async with worker_sessions() as session:
        assert await job_runs.prune(session, 31) == 1
        assert await job_runs.prune(session, 31) == 0
        assert len(await job_runs.page(session, RunFilter(), 50)) == 4
