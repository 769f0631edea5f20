"""A change of what produces a snapshot queues a run: the stored rows are no longer served, so wait for no schedule.

Looks at what a change publishes, whoever made it: a save of an endpoint or of its connection, or a rollback.
"""

from collections.abc import Awaitable, Callable, Iterable

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.publishing.compiler import Compiled
from qg_core.job_runs import RunReason
from qg_core.producers import producer_of
from qg_core.revisions import SubjectKey
from qg_core.specs import ConnectionSpec, DataStrategy, EndpointSpec, SpecKind, SpecUnreadable, decode_spec
from qg_store.repositories import job_runs, schedules
from qg_store.repositories import publishing as ledger
from qg_store.repositories.publishing import SpecRow

SCHEDULES_PER_BATCH = 200


class _Sides(msgspec.Struct, frozen=True):
    """Subject -> spec, as the head names them and as the change will."""

    before: dict[SubjectKey, SpecRow]
    after: dict[SubjectKey, SpecRow]


class ChangedProducers:
    """What `Publishing` calls with every change, inside its transaction and after it."""

    def __init__(self, wake: Callable[[], Awaitable[object]]) -> None:
        self._wake = wake

    async def queue(self, session: AsyncSession, compiled: Compiled) -> bool:
        """Queue a `spec_changed` run for every schedule whose producer becomes another one; whether there is any.

        Before the change is stored: the head still names what was.
        """
        endpoint_ids = {change.id for change in compiled.changes if change.kind == SpecKind.ENDPOINT}
        connection_ids = {change.id for change in compiled.changes if change.kind == SpecKind.CONNECTION}
        if not endpoint_ids and not connection_ids:
            return False
        touched = await schedules.touched_by(session, endpoint_ids, connection_ids)
        queued = False
        for start in range(0, len(touched), SCHEDULES_PER_BATCH):
            batch = touched[start : start + SCHEDULES_PER_BATCH]
            sides = await _sides(session, [schedule.endpoint_id for schedule in batch], compiled)
            for schedule in batch:
                now = _producer(schedule.endpoint_id, sides.after)
                if now is not None and now != _producer(schedule.endpoint_id, sides.before):
                    await job_runs.enqueue(session, schedule, RunReason.SPEC_CHANGED)
                    queued = True
        return queued

    async def wake(self) -> None:
        """After commit: let a worker look at once."""
        await self._wake()


async def _sides(session: AsyncSession, endpoint_ids: Iterable[str], compiled: Compiled) -> _Sides:
    """The specs of these endpoints and of the connections that they name or named."""
    put = {SubjectKey(row.kind, row.subject_id): row for row in compiled.specs}
    removed = {SubjectKey(change.kind, change.id) for change in compiled.changes if change.digest is None}
    keys = {SubjectKey(SpecKind.ENDPOINT.value, endpoint_id) for endpoint_id in endpoint_ids}
    before = await ledger.published(session, keys)
    connections = {
        SubjectKey(SpecKind.CONNECTION.value, spec.connection_id)
        for key in keys
        for row in (before.get(key), put.get(key))
        if isinstance(spec := _spec(row), EndpointSpec)
    }
    before |= await ledger.published(session, connections)
    after = {key: row for key, row in before.items() if key not in removed}
    after |= {key: put[key] for key in keys | connections if key in put}
    return _Sides(before, after)


def _producer(endpoint_id: str, specs: dict[SubjectKey, SpecRow]) -> str | None:
    """The digest of what produces the endpoint's snapshot; null when nothing can, or nobody would be served it."""
    endpoint = _spec(specs.get(SubjectKey(SpecKind.ENDPOINT.value, endpoint_id)))
    if not isinstance(endpoint, EndpointSpec) or endpoint.data_strategy is not DataStrategy.SNAPSHOT:
        return None
    connection = _spec(specs.get(SubjectKey(SpecKind.CONNECTION.value, endpoint.connection_id)))
    return producer_of(endpoint, connection) if isinstance(connection, ConnectionSpec) else None


def _spec(row: SpecRow | None) -> object:
    """A stored spec; null when there is none or it is of a format that is no longer known."""
    try:
        return decode_spec(row.body) if row is not None else None
    except SpecUnreadable:
        return None
