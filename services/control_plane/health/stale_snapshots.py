"""Which snapshots consumers can't rely on: missing, too old for their schedule, or of a former producer."""

import asyncio
import enum
from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.schedules.definition import definition_of, timing_of
from qg_core.producers import producer_of
from qg_core.revisions import SubjectKey
from qg_core.schedule_times import TimingUnfit, times_between
from qg_core.specs import ConnectionSpec, EndpointSpec, Spec, SpecKind, SpecUnreadable, decode_spec
from qg_store.repositories import overview
from qg_store.repositories import publishing as ledger
from qg_store.repositories.overview import ScheduledSnapshot

EXAMINED_MAX = 500
"""Scheduled endpoints that one dashboard looks at, by path."""

TIMES_MISSED_MAX = 2
"""A snapshot is old once so many planned times have passed since it was made."""

_PER_BATCH = 50


class StaleReason(enum.StrEnum):
    MISSING = "missing"
    """No run has succeeded yet."""
    OTHER_PRODUCER = "other_producer"
    """The statement, the connection or the like has changed since, or can't be served: data planes answer 503."""
    OLD = "old"
    """Two planned times have passed since it was made; the last good one is served."""


class StaleSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """`created_at` is null for a missing one."""

    endpoint_id: str
    path: str
    schedule_id: str
    reason: StaleReason
    created_at: datetime | None


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """How many scheduled endpoints were looked at, and those whose snapshot is stale."""

    examined: int
    stale: tuple[StaleSnapshot, ...]


async def look_for_stale(session: AsyncSession, now: datetime) -> Freshness:
    """Compare the newest snapshots of scheduled endpoints with their schedules and specs; `now` is Postgres' time."""
    rows = await overview.scheduled_snapshots(session, EXAMINED_MAX)
    stale: list[StaleSnapshot] = []
    for start in range(0, len(rows), _PER_BATCH):
        batch = rows[start : start + _PER_BATCH]
        specs = await _published(session, batch)
        # Off the event loop: a cron expression that comes once in years takes some 30 ms to follow, and editors write
        # as many of them as they like.
        stale += await asyncio.to_thread(_stale_of, batch, specs, now)
    return Freshness(examined=len(rows), stale=tuple(stale))


def _stale_of(batch: Sequence[ScheduledSnapshot], specs: dict[SubjectKey, Spec], now: datetime) -> list[StaleSnapshot]:
    return [
        StaleSnapshot(
            endpoint_id=row.endpoint_id,
            path=row.path,
            schedule_id=row.schedule.id,
            reason=reason,
            created_at=row.created_at,
        )
        for row in batch
        if (reason := _reason(row, specs, now)) is not None
    ]


async def _published(session: AsyncSession, batch: Sequence[ScheduledSnapshot]) -> dict[SubjectKey, Spec]:
    keys = {_endpoint_key(row) for row in batch} | {_connection_key(row) for row in batch}
    found: dict[SubjectKey, Spec] = {}
    for key, stored in (await ledger.published(session, sorted(keys))).items():
        try:
            found[key] = decode_spec(stored.body)
        except SpecUnreadable:
            continue
    return found


def _reason(row: ScheduledSnapshot, specs: dict[SubjectKey, Spec], now: datetime) -> StaleReason | None:
    if row.created_at is None:
        return StaleReason.MISSING
    endpoint, connection = specs.get(_endpoint_key(row)), specs.get(_connection_key(row))
    if not isinstance(endpoint, EndpointSpec) or not isinstance(connection, ConnectionSpec):
        return StaleReason.OTHER_PRODUCER
    if producer_of(endpoint, connection) != row.producer:
        return StaleReason.OTHER_PRODUCER
    return StaleReason.OLD if _is_old(row, row.created_at, now) else None


def _is_old(row: ScheduledSnapshot, created_at: datetime, now: datetime) -> bool:
    timing = timing_of(definition_of(row.schedule), row.schedule.anchor_at)
    try:
        return len(times_between(timing, created_at, now, TIMES_MISSED_MAX)) == TIMES_MISSED_MAX
    except TimingUnfit:
        return False


def _endpoint_key(row: ScheduledSnapshot) -> SubjectKey:
    return SubjectKey(SpecKind.ENDPOINT.value, row.endpoint_id)


def _connection_key(row: ScheduledSnapshot) -> SubjectKey:
    return SubjectKey(SpecKind.CONNECTION.value, row.connection_id)
