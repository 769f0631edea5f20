"""Planning: every schedule whose time has come gets a row per planned time; the newest is queued, the others skipped.

Every worker plans, all at once: schedules are locked while they are looked at, rows are unique per planned time, and
whoever comes second finds nothing to do.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from qg_core.revisions import SubjectKey
from qg_core.schedule_times import CronTiming, IntervalTiming, Timing, TimingUnfit, next_after, times_between
from qg_core.specs import DataStrategy, EndpointSpec, SpecKind, SpecUnreadable, decode_spec
from qg_store.engine import SessionFactory
from qg_store.models import Schedule
from qg_store.repositories import clock, job_runs, publishing, schedules
from qg_telemetry.events import JobRunsPlanned, JobRunsSkipped, Observe
from worker.supervised import StepFailed, Supervised

TICK_S = 1.0
TICK_TIMEOUT_S = 30.0
SCHEDULES_PER_BATCH = 20
TIMES_PER_LOOK_MAX = 5_000
"""Planned times of one schedule that one transaction makes rows for; the rest follows in the next tick."""

UNPUBLISHED = "the endpoint is not published as a snapshot endpoint (inactive, deleted or live)"


class _Due(msgspec.Struct, frozen=True):
    """What one look at one schedule will do."""

    times: Sequence[datetime]
    next_run_at: datetime | None


class Planning:
    """Plans every `TICK_S`; `on_queued` is called when there is something to claim."""

    def __init__(self, sessions: SessionFactory, on_queued: Callable[[], None], observe: Observe) -> None:
        self._sessions = sessions
        self._on_queued = on_queued
        self._observe = observe
        self._loop = Supervised("schedule", self.tick, every_s=TICK_S, timeout_s=TICK_TIMEOUT_S, observe=observe)

    def start(self) -> None:
        self._loop.start()

    async def close(self) -> None:
        await self._loop.close()

    async def tick(self) -> None:
        """Plan everything that is due, batch by batch.

        Raises `StepFailed` when a schedule can't be planned here (the others are), and what SQLAlchemy raises.
        """
        looked_at: set[str] = set()
        unfit: list[str] = []
        while True:
            found, outcomes = await self._plan_batch(looked_at, unfit)
            for outcome in outcomes:
                self._observe(outcome)
            if any(isinstance(outcome, JobRunsPlanned) and outcome.queued for outcome in outcomes):
                self._on_queued()
            if found < SCHEDULES_PER_BATCH:
                break
        if unfit:
            raise StepFailed("; ".join(unfit[:5]))

    async def _plan_batch(
        self, looked_at: set[str], unfit: list[str]
    ) -> tuple[int, list[JobRunsPlanned | JobRunsSkipped]]:
        """How many further schedules were looked at, and what came of them.

        Each once per tick: those that can't be planned stay due, and must not stand before the others for ever.
        """
        outcomes: list[JobRunsPlanned | JobRunsSkipped] = []
        queued = skipped = 0
        async with self._sessions() as session:
            due = await schedules.lock_due(session, SCHEDULES_PER_BATCH, without=looked_at)
            if not due:
                return 0, []
            looked_at.update(schedule.id for schedule in due)
            now = await clock.begun_at(session)
            published = await _published(session, [schedule.endpoint_id for schedule in due])
            for schedule in due:
                try:
                    found = await asyncio.to_thread(_due, _timing_of(schedule), schedule.next_run_at, now)
                except TimingUnfit as error:
                    unfit.append(f"schedule {schedule.id}: {error}")
                    continue
                planned = await job_runs.plan(session, schedule, found.times, found.next_run_at, now)
                if planned is None:
                    continue
                more, reason = planned.skipped, "missed"
                if schedule.endpoint_id not in published:
                    more, reason = more + await job_runs.cancel_queued(session, schedule.id, UNPUBLISHED), "unpublished"
                elif planned.queued is not None:
                    queued += 1
                skipped += more
                if more:
                    outcomes.append(
                        JobRunsSkipped(
                            job_id=schedule.id, endpoint_id=schedule.endpoint_id, skipped=more, reason=reason
                        )
                    )
            await session.commit()
        if queued or skipped:
            outcomes.append(JobRunsPlanned(queued=queued, skipped=skipped))
        return len(due), outcomes


def _timing_of(schedule: Schedule) -> Timing:
    if schedule.interval_seconds is not None:
        return IntervalTiming(schedule.interval_seconds, schedule.anchor_at)
    return CronTiming(schedule.cron_expression or "", schedule.timezone)


def _due(timing: Timing, first: datetime | None, now: datetime) -> _Due:
    """All times from `first` to `now`, and the first one after them. Raises `TimingUnfit`."""
    if first is None or first > now:
        return _Due([], first)
    times = [first, *times_between(timing, first, now, TIMES_PER_LOOK_MAX - 1)]
    return _Due(times, next_after(timing, times[-1]))


async def _published(session: AsyncSession, endpoint_ids: Sequence[str]) -> set[str]:
    """Those of these endpoints that are published and have snapshots."""
    kind = SpecKind.ENDPOINT.value
    rows = await publishing.published(session, [SubjectKey(kind, endpoint_id) for endpoint_id in endpoint_ids])
    return {key.id for key, row in rows.items() if _has_snapshots(row.body)}


def _has_snapshots(body: bytes) -> bool:
    try:
        spec = decode_spec(body)
    except SpecUnreadable:
        # Another release's: whoever can read it may run it.
        return True
    return isinstance(spec, EndpointSpec) and spec.data_strategy is DataStrategy.SNAPSHOT
