"""The scheduler: one row per planned time, whoever races, whatever was missed."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from qg_core.job_runs import RunStatus
from qg_store.engine import make_engine, make_sessions
from qg_store.models import Endpoint
from qg_telemetry.events import Event, JobRunsSkipped
from tests.integration.worker.rig import WorkerRig
from worker.scheduler import planning
from worker.scheduler.planning import Planning
from worker.supervised import StepFailed


class Planners:
    """Schedulers of several workers, as the worker's role, without their loops."""

    def __init__(self, gate: WorkerRig, count: int) -> None:
        self.engines = [make_engine(gate.urls.worker, pool_max=3) for _ in range(count)]
        self.events: list[Event] = []
        self.woken = 0
        self.all = [Planning(make_sessions(engine), self.wake, self.events.append) for engine in self.engines]

    def wake(self) -> None:
        self.woken += 1

    async def tick(self) -> None:
        await asyncio.gather(*(planner.tick() for planner in self.all))

    async def close(self) -> None:
        for engine in self.engines:
            await engine.dispose()


async def runs_of(gate: WorkerRig, schedule_id: str) -> list[Any]:
    return list(
        await gate.rows(
            "SELECT * FROM job_runs WHERE schedule_id = cast(:id AS uuid) ORDER BY planned_at", id=schedule_id
        )
    )


async def test_racing_schedulers_plan_each_time_once(gate: WorkerRig) -> None:
    endpoints = [await gate.endpoint("select 1 as one from dual") for _ in range(6)]
    now = await gate.now()
    due = now - timedelta(seconds=95)
    schedules = [
        await gate.schedule(each, interval_seconds=10, anchor_at=due - timedelta(seconds=10), next_run_at=due)
        for each in endpoints
    ]
    planners = Planners(gate, 3)
    try:
        for _ in range(4):
            await planners.tick()
    finally:
        await planners.close()
    assert planners.woken
    for schedule in schedules:
        runs = await runs_of(gate, schedule.id)
        times = [run.planned_at for run in runs]
        assert times == [due + timedelta(seconds=10 * n) for n in range(len(times))]
        assert len(times) >= 10
        # The outage costs one run; what was planned before it stands on record.
        assert Counter(run.status for run in runs)["queued"] == 1
        assert runs[9].status == RunStatus.QUEUED
        assert {run.status for run in runs[:9]} == {RunStatus.SKIPPED}
        assert all(run.error_detail for run in runs[:9])
        [row] = await gate.rows("SELECT next_run_at FROM schedules WHERE id = cast(:id AS uuid)", id=schedule.id)
        assert row.next_run_at == times[-1] + timedelta(seconds=10)


async def test_cron_is_read_in_its_zone(gate: WorkerRig) -> None:
    now = await gate.now()
    due = now.replace(minute=30, second=0, microsecond=0) - timedelta(days=1)
    schedule = await gate.schedule(
        await gate.endpoint("select 1 as one from dual"),
        schedule_type="cron",
        interval_seconds=None,
        cron_expression="30 * * * *",
        timezone="Asia/Kolkata",
        next_run_at=due,
    )
    planners = Planners(gate, 1)
    try:
        await planners.tick()
    finally:
        await planners.close()
    runs = await runs_of(gate, schedule.id)
    # Half an hour off UTC: full hours there.
    assert {run.planned_at.minute for run in runs[1:]} == {0}
    assert len(runs) in {24, 25}


async def test_an_endpoint_that_is_off_is_skipped_with_the_reason(gate: WorkerRig) -> None:
    inactive = await gate.endpoint("select 1 as one from dual")
    due = await gate.now() - timedelta(seconds=1)
    schedule = await gate.schedule(
        inactive, interval_seconds=60, anchor_at=due - timedelta(seconds=60), next_run_at=due
    )
    await gate.publishing.edit(Endpoint, inactive.id, is_active=False)
    planners = Planners(gate, 2)
    try:
        await planners.tick()
    finally:
        await planners.close()
    [run] = await runs_of(gate, schedule.id)
    assert (run.status, run.error_detail) == ("skipped", planning.UNPUBLISHED)
    assert not planners.woken
    assert [event.reason for event in planners.events if isinstance(event, JobRunsSkipped)] == ["unpublished"]


async def test_a_schedule_that_can_not_be_read_holds_up_no_other(
    gate: WorkerRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if there were a whole batch of them: they stay the most overdue ones.
    monkeypatch.setattr(planning, "SCHEDULES_PER_BATCH", 1)
    due = await gate.now() - timedelta(minutes=5)
    broken = await gate.schedule(
        await gate.endpoint("select 1 as one from dual"),
        schedule_type="cron",
        interval_seconds=None,
        cron_expression="* * * * *",
        timezone="Nowhere/Land",
        next_run_at=due,
    )
    good = await gate.schedule(
        await gate.endpoint("select 1 as one from dual"), anchor_at=due, next_run_at=due + timedelta(seconds=1)
    )
    planners = Planners(gate, 1)
    try:
        with pytest.raises(StepFailed, match="Nowhere/Land"):
            await planners.tick()
    finally:
        await planners.close()
    assert await runs_of(gate, broken.id) == []
    assert [run.status for run in await runs_of(gate, good.id)] == ["queued"]


async def test_a_long_outage_is_made_up_for_in_parts(gate: WorkerRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "TIMES_PER_LOOK_MAX", 7)
    due = await gate.now() - timedelta(seconds=205)
    schedule = await gate.schedule(
        await gate.endpoint("select 1 as one from dual"),
        interval_seconds=10,
        anchor_at=due - timedelta(seconds=10),
        next_run_at=due,
    )
    planners = Planners(gate, 2)
    try:
        for _ in range(6):
            await planners.tick()
    finally:
        await planners.close()
    runs = await runs_of(gate, schedule.id)
    assert [run.planned_at for run in runs] == [due + timedelta(seconds=10 * n) for n in range(len(runs))]
    assert len(runs) >= 21
    assert Counter(run.status for run in runs)["queued"] == 1
