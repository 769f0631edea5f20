"""How the gateway stands, in a few counts and short lists: what a dashboard shows. Every statement is bounded."""

from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import (
    AccessDeadLetter,
    AccessSource,
    AuthMethod,
    Connection,
    Endpoint,
    JobRun,
    JobSlot,
    Schedule,
    Snapshot,
)


class ConnectionCounts(msgspec.Struct, frozen=True, kw_only=True):
    """`inactive_in_use`: inactive ones that active endpoints name."""

    total: int
    active: int
    inactive_in_use: int


class EndpointCounts(msgspec.Struct, frozen=True, kw_only=True):
    """All but `total` count active ones; `closed` have neither an active auth method nor are they public."""

    total: int
    active: int
    public: int
    closed: int
    snapshot: int
    deprecated: int


class PublicEndpoint(msgspec.Struct, frozen=True):
    """An active endpoint that answers without any credential."""

    id: str
    name: str
    path: str


class SchedulerCounts(msgspec.Struct, frozen=True, kw_only=True):
    """`due` schedules wait to be planned, `overdue` ones for longer than was asked; by Postgres' clock `now`."""

    now: datetime
    active: int
    due: int
    overdue: int
    live: int
    queued: int
    oldest_queued_at: datetime | None
    slots_taken: int


class ScheduledSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """An active snapshot endpoint with its active schedule, and its newest snapshot (null: there is none)."""

    schedule: Schedule
    endpoint_id: str
    path: str
    connection_id: str
    producer: str | None
    created_at: datetime | None


class AccessCounts(msgspec.Struct, frozen=True, kw_only=True):
    """`sources` are logs of nodes; `lost` events will never come, `dead_letters` could not be stored."""

    sources: int
    lost: int
    dead_letters: int


async def connections(session: AsyncSession) -> ConnectionCounts:
    """Connections, counted."""
    used = select(Endpoint.id).where(Endpoint.connection_id == Connection.id, Endpoint.is_active).exists()
    row = (
        await session.execute(
            select(
                func.count(),
                func.count().filter(Connection.is_active),
                func.count().filter(~Connection.is_active & used),
            ).select_from(Connection)
        )
    ).one()
    return ConnectionCounts(total=row[0], active=row[1], inactive_in_use=row[2])


async def endpoints(session: AsyncSession) -> EndpointCounts:
    """Endpoints, counted."""
    active = Endpoint.is_active
    opened = select(AuthMethod.id).where(AuthMethod.id == Endpoint.auth_method_id, AuthMethod.is_active).exists()
    row = (
        await session.execute(
            select(
                func.count(),
                func.count().filter(active),
                func.count().filter(active & _public()),
                func.count().filter(active & ~_public() & ~opened),
                func.count().filter(active & (Endpoint.data_strategy == "snapshot")),
                func.count().filter(active & Endpoint.is_deprecated),
            ).select_from(Endpoint)
        )
    ).one()
    return EndpointCounts(total=row[0], active=row[1], public=row[2], closed=row[3], snapshot=row[4], deprecated=row[5])


async def public_endpoints(session: AsyncSession, limit: int) -> list[PublicEndpoint]:
    """Those that anybody may call, by path."""
    rows = await session.execute(
        select(Endpoint.id, Endpoint.name, Endpoint.path)
        .where(Endpoint.is_active, _public())
        .order_by(Endpoint.path)
        .limit(limit)
    )
    return [PublicEndpoint(*row) for row in rows]


async def scheduler(session: AsyncSession, overdue_after_s: float) -> SchedulerCounts:
    """Schedules, runs and slots, counted."""
    late = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, overdue_after_s)
    schedules = (
        await session.execute(
            select(
                func.now(),
                func.count(),
                func.count().filter(Schedule.next_run_at <= func.now()),
                func.count().filter(Schedule.next_run_at <= late),
            ).where(Schedule.is_active)
        )
    ).one()
    runs = (
        await session.execute(
            select(
                func.count().filter(JobRun.status == "running"),
                func.count().filter(JobRun.status == "queued"),
                func.min(JobRun.available_at).filter(JobRun.status == "queued"),
            ).where(JobRun.finished_at.is_(None))
        )
    ).one()
    slots = await session.scalar(select(func.count(JobSlot.run_id)))
    return SchedulerCounts(
        now=schedules[0],
        active=schedules[1],
        due=schedules[2],
        overdue=schedules[3],
        live=runs[0],
        queued=runs[1],
        oldest_queued_at=runs[2],
        slots_taken=int(slots or 0),
    )


async def scheduled_snapshots(session: AsyncSession, limit: int) -> list[ScheduledSnapshot]:
    """The endpoints that schedules keep fresh, by path, each with what is known of its newest snapshot."""
    newest = (
        select(Snapshot.producer, Snapshot.created_at)
        .where(Snapshot.endpoint_id == Endpoint.id)
        .order_by(Snapshot.number.desc())
        .limit(1)
        .lateral("newest")
    )
    rows = await session.execute(
        select(Schedule, Endpoint.id, Endpoint.path, Endpoint.connection_id, newest.c.producer, newest.c.created_at)
        .join(Endpoint, Endpoint.id == Schedule.endpoint_id)
        .outerjoin(newest, true())
        .where(Schedule.is_active, Endpoint.is_active, Endpoint.data_strategy == "snapshot")
        .order_by(Endpoint.path)
        .limit(limit)
    )
    return [
        ScheduledSnapshot(
            schedule=row[0],
            endpoint_id=row[1],
            path=row[2],
            connection_id=row[3],
            producer=row[4],
            created_at=row[5],
        )
        for row in rows
    ]


async def access(session: AsyncSession) -> AccessCounts:
    """What workers know of the nodes' logs, counted."""
    row = (
        await session.execute(
            select(func.count(), func.coalesce(func.sum(AccessSource.lost), 0)).select_from(AccessSource)
        )
    ).one()
    letters = await session.scalar(select(func.count(AccessDeadLetter.id)))
    return AccessCounts(sources=row[0], lost=int(row[1]), dead_letters=int(letters or 0))


def _public() -> ColumnElement[bool]:
    return Endpoint.allow_unauthenticated & Endpoint.auth_method_id.is_(None)
