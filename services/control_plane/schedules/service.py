"""Saving, pausing and deleting schedules, and asking for a run.

A schedule is part of no revision: workers read it from Postgres. Its writes go through `Publishing.change` all the
same, so that an endpoint can't be changed below it, and everything is audited alike.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.actors import Actor
from control_plane.input.kinds import new_id, uuid_or_none
from control_plane.publishing.change import Change
from control_plane.publishing.service import Publishing
from control_plane.schedules.definition import (
    Definition,
    definition_of,
    endpoint_problems,
    merged,
    timing_differs,
    timing_of,
    timing_problems,
    write,
)
from control_plane.schedules.views import ScheduleCreate, ScheduleUpdate
from qg_core.errors import FieldProblem, InvalidInput, NotApplicable, NotFound
from qg_core.job_runs import RunReason
from qg_core.schedule_times import next_after
from qg_core.specs import DataStrategy
from qg_store.engine import SessionFactory
from qg_store.models import Endpoint, JobRun, Schedule
from qg_store.repositories import clock, endpoints, job_runs, schedules
from qg_store.repositories.job_runs import RunFilter

DELETED = "The schedule was deleted."
PAUSED = "The schedule was paused."
MOVED = "The schedule was given to another endpoint."
"""`error_detail` of runs that are skipped for it."""


class Schedules:
    def __init__(
        self, *, sessions: SessionFactory, publishing: Publishing, wake: Callable[[], Awaitable[object]]
    ) -> None:
        """`wake` lets a worker look at once; it must be bounded in time and never raise."""
        self._sessions = sessions
        self._publishing = publishing
        self._wake = wake

    async def every(self) -> list[Schedule]:
        """All, oldest first."""
        async with self._sessions() as session:
            return await schedules.every(session)

    async def one(self, schedule_id: str) -> Schedule:
        """One schedule. Raises `NotFound`."""
        async with self._sessions() as session:
            return _found(await schedules.by_id(session, schedule_id))

    async def create(self, wanted: ScheduleCreate, actor: Actor) -> tuple[Schedule, int]:
        """A new schedule and the revision. Raises `InvalidInput`, `NameTaken` when the endpoint has one."""
        definition = merged(wanted, None)
        problems = await asyncio.to_thread(timing_problems, definition)
        async with self._publishing.change(actor) as change:
            endpoint = await _check(change.session, definition, problems)
            row = Schedule(id=new_id())
            write(row, definition)
            _plan(row, definition, await clock.now(change.session), anew=True)
            await schedules.save(change.session, row)
            change.audit("create", "schedule", row.id, f"scheduled endpoint {endpoint.name!r}: {_said(definition)}")
        return row, change.revision

    async def update(self, schedule_id: str, wanted: ScheduleUpdate, actor: Actor) -> tuple[Schedule, int]:
        """Change what was given. Raises `NotFound`, `InvalidInput`, `NameTaken`."""
        async with self._publishing.change(actor) as change:
            row = await _locked(change, schedule_id)
            before = definition_of(row)
            definition = merged(wanted, before)
            problems = await asyncio.to_thread(timing_problems, definition)
            endpoint = await _check(change.session, definition, problems)
            await self._apply(change, row, before, definition)
            change.audit(
                "update", "schedule", row.id, f"changed the schedule of {endpoint.name!r}: {_said(definition)}"
            )
        return row, change.revision

    async def switch(self, schedule_id: str, actor: Actor, *, on: bool) -> tuple[Schedule, int]:
        """Resume or pause; as it is already is fine. Raises `NotFound`; `InvalidInput` when it can't be resumed."""
        async with self._publishing.change(actor) as change:
            row = await _locked(change, schedule_id)
            before = definition_of(row)
            definition = structs.replace(before, is_active=on)
            if on:
                await _check(change.session, definition, await asyncio.to_thread(timing_problems, definition))
            if definition != before:
                await self._apply(change, row, before, definition)
            action = "resume" if on else "pause"
            change.audit(action, "schedule", row.id, f"{action}d the schedule of endpoint {row.endpoint_id}")
        return row, change.revision

    async def delete(self, schedule_id: str, actor: Actor) -> int:
        """Remove; its queued runs become `skipped`. Raises `NotFound`."""
        async with self._publishing.change(actor) as change:
            row = await _locked(change, schedule_id)
            await job_runs.cancel_queued(change.session, row.id, DELETED)
            await schedules.delete(change.session, row)
            change.audit("delete", "schedule", schedule_id, f"deleted the schedule of endpoint {row.endpoint_id}")
        return change.revision

    async def run(self, schedule_id: str, actor: Actor) -> tuple[str, int]:
        """Queue a run beside the planned ones, paused or not; its id (of the one that waits, if one does).

        Raises `NotFound`, `NotApplicable` while the endpoint is inactive or answers live.
        """
        async with self._publishing.change(actor) as change:
            row = await _locked(change, schedule_id)
            endpoint = await endpoints.by_id(change.session, row.endpoint_id)
            if endpoint is None or not endpoint.is_active:
                raise NotApplicable("The endpoint of this schedule is inactive.")
            if endpoint.data_strategy != DataStrategy.SNAPSHOT:
                raise NotApplicable("The endpoint of this schedule answers live; set its data_strategy to snapshot.")
            run = await job_runs.enqueue(change.session, row, RunReason.MANUAL)
            change.audit("run", "schedule", row.id, f"asked for a run of endpoint {endpoint.name!r}")
        await self._wake()
        return run.id, change.revision

    async def runs(self, wanted: RunFilter, limit: int) -> list[JobRun]:
        """Job runs, the latest planned first."""
        async with self._sessions() as session:
            return await job_runs.page(session, wanted, limit)

    async def one_run(self, run_id: str) -> JobRun:
        """One job run. Raises `NotFound`."""
        async with self._sessions() as session:
            row = await job_runs.one(session, run_id)
        if row is None:
            raise NotFound("There is no such job run.")
        return row

    async def _apply(self, change: Change, row: Schedule, before: Definition, definition: Definition) -> None:
        """Write the definition and what follows from it: when it comes next, and which runs make no sense any more."""
        write(row, definition)
        anew = timing_differs(before, definition) or (definition.is_active and not before.is_active)
        if anew or definition.is_active != before.is_active:
            _plan(row, definition, await clock.now(change.session), anew=anew)
        await schedules.save(change.session, row)
        if definition.endpoint_id != before.endpoint_id:
            await job_runs.cancel_queued(change.session, row.id, MOVED)
        elif before.is_active and not definition.is_active:
            await job_runs.cancel_queued(change.session, row.id, PAUSED)


async def _check(session: AsyncSession, definition: Definition, problems: list[FieldProblem]) -> Endpoint:
    """The endpoint. Raises `InvalidInput` with the given problems and its own."""
    endpoint = None
    if uuid_or_none(definition.endpoint_id) is not None:
        endpoint = await endpoints.by_id(session, definition.endpoint_id)
    found = list(problems)
    if endpoint is None:
        found.append(FieldProblem("endpoint_id", "there is no such endpoint"))
    else:
        found += endpoint_problems(endpoint.param_schema)
    if found or endpoint is None:
        raise InvalidInput(found)
    return endpoint


def _plan(row: Schedule, definition: Definition, now: datetime, *, anew: bool) -> None:
    """When it comes next; `anew`: intervals count from now."""
    if anew:
        row.anchor_at = now
    row.next_run_at = next_after(timing_of(definition, row.anchor_at), now) if definition.is_active else None


async def _locked(change: Change, schedule_id: str) -> Schedule:
    """The row, which no scheduler plans for until this change is committed. Raises `NotFound`."""
    return _found(await schedules.locked(change.session, schedule_id))


def _found(row: Schedule | None) -> Schedule:
    if row is None:
        raise NotFound("There is no such schedule.")
    return row


def _said(definition: Definition) -> str:
    state = "" if definition.is_active else ", paused"
    if definition.cron_expression is not None:
        return f"cron {definition.cron_expression} in {definition.timezone}{state}"
    return f"every {definition.interval_seconds} s{state}"
