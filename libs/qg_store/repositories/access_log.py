"""The access log: rows are added once, read, and removed by age; its partitions through the owner's functions."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CursorResult,
    DateTime,
    Float,
    Integer,
    Select,
    Text,
    false,
    func,
    literal,
    literal_column,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeEngine

from qg_store.models import AccessEntry
from qg_store.models.base import RowId
from qg_store.repositories.statements import statement


class AccessRow(msgspec.Struct, frozen=True, kw_only=True):
    """One event to be stored; `at` has a zone. Lengths are limited as in `qg_store.models.access_log`; no NUL."""

    event_id: str
    at: datetime
    request_id: str
    endpoint_id: str | None
    path: str
    method: str
    principal: str | None
    auth_method_id: str | None
    credential_id: str | None
    remote_ip: str | None
    status: int
    duration_ms: float
    row_count: int | None
    bytes: int
    revision: int | None
    node: str


class AccessFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What to show; null means any. `before` is `(at, event_id)` of the last row of the page before."""

    since: datetime | None = None
    until: datetime | None = None
    path: str | None = None
    endpoint_id: str | None = None
    principal: str | None = None
    status: int | None = None
    request_id: str | None = None
    before: tuple[datetime, str] | None = None


_TYPES: dict[str, TypeEngine[Any]] = {
    "event_id": Text(),
    "at": DateTime(timezone=True),
    "request_id": Text(),
    "endpoint_id": RowId,
    "path": Text(),
    "method": Text(),
    "principal": Text(),
    "auth_method_id": RowId,
    "credential_id": RowId,
    "remote_ip": Text(),
    "status": Integer(),
    "duration_ms": Float(53),
    "row_count": BigInteger(),
    "bytes": BigInteger(),
    "revision": BigInteger(),
    "node": Text(),
}
_COLUMNS = ", ".join(_TYPES)
# One statement however many rows: arrays, one per column. In one order for all workers: two that add the same rows wait
# for each other instead of deadlocking.
_ADD = statement(
    f"INSERT INTO access_log (day, {_COLUMNS})"  # noqa: S608 - the columns are those named above
    f" SELECT (at AT TIME ZONE 'UTC')::date AS day, {_COLUMNS}"
    f" FROM unnest({', '.join(f':{name}' for name in _TYPES)}) AS event ({_COLUMNS})"
    " ORDER BY day, event_id ON CONFLICT (day, event_id) DO NOTHING",
    **{name: ARRAY(kind) for name, kind in _TYPES.items()},
)
_PARTITIONS = text(
    "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
    " WHERE inhparent = 'access_log'::regclass AND relname ~ '^access_log_[0-9]{8}$' ORDER BY relname"
)


async def add(session: AsyncSession, rows: Sequence[AccessRow]) -> int:
    """Store rows; those that are there already are left as they are. How many were new."""
    if not rows:
        return 0
    values: dict[str, list[object]] = {name: [getattr(row, name) for row in rows] for name in _TYPES}
    result = await session.execute(_ADD, values)
    return result.rowcount if isinstance(result, CursorResult) else 0


async def page(session: AsyncSession, wanted: AccessFilter, limit: int) -> list[AccessEntry]:
    """Newest first by `(at, event_id)`, at most `limit`."""
    return list((await session.execute(_page(wanted, limit))).scalars())


async def partitions(session: AsyncSession) -> list[date]:
    """The days that have a partition of their own, the oldest first."""
    names = (await session.execute(_PARTITIONS)).scalars()
    return [datetime.strptime(name[-8:], "%Y%m%d").replace(tzinfo=UTC).date() for name in names]


async def make_partition(session: AsyncSession, day: date) -> bool:
    """Make the partition of a day from two days ago to seven days ahead; fine when it is there already.

    False: the default partition has rows of that day, so they all stay there.
    """
    return bool(await session.scalar(select(func.qg_make_access_partition(day))))


async def drop_partition(session: AsyncSession, day: date) -> bool:
    """Drop the partition of a day that ended more than a day ago. False: there is none."""
    return bool(await session.scalar(select(func.qg_drop_access_partition(day))))


async def prune_default(session: AsyncSession, before: date, rows_max: int = 10_000) -> int:
    """Remove rows of days before `before` from the default partition, at most `rows_max`; how many."""
    return int(await session.scalar(select(func.qg_prune_access_default(before, rows_max))) or 0)


def _page(wanted: AccessFilter, limit: int) -> Select[AccessEntry]:
    newest_first = (AccessEntry.at.desc(), AccessEntry.event_id.desc())
    return select(AccessEntry).where(*_conditions(wanted)).order_by(*newest_first).limit(limit)


def _conditions(wanted: AccessFilter) -> list[ColumnElement[bool]]:
    # The conditions on `day` follow from those on `at`; they keep Postgres away from the other partitions.
    found: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        since = _in_utc(wanted.since)
        found += [AccessEntry.at >= since, AccessEntry.day >= since.date()]
    if wanted.until is not None:
        until = _in_utc(wanted.until)
        found += [AccessEntry.at < until, AccessEntry.day <= until.date()]
    if wanted.before is not None:
        at, event_id = _in_utc(wanted.before[0]), wanted.before[1]
        last = tuple_(literal(at, DateTime(timezone=True)), literal(event_id, Text()))
        found += [tuple_(AccessEntry.at, AccessEntry.event_id) < last, AccessEntry.day <= at.date()]
    if wanted.path is not None:
        # The hash has the index, the path is what counts. `coalesce`: else Postgres takes the two for independent, and
        # sorts what it believes to be few rows.
        found.append(_path_hash(AccessEntry.path) == _path_hash(wanted.path))
        found.append(func.coalesce(AccessEntry.path == wanted.path, false()))
    if wanted.endpoint_id is not None:
        found.append(AccessEntry.endpoint_id == wanted.endpoint_id)
    if wanted.principal is not None:
        found.append(AccessEntry.principal == wanted.principal)
    if wanted.status is not None:
        found.append(AccessEntry.status == wanted.status)
    if wanted.request_id is not None:
        found.append(AccessEntry.request_id == wanted.request_id)
    return found


def _path_hash(path: str | InstrumentedAttribute[str]) -> ColumnElement[int]:
    """Spelled as in the index `ix_access_log_path_hash`: another seed or type would not find it."""
    return func.hashtextextended(path, literal_column("0::bigint"), type_=BigInteger())


def _in_utc(at: datetime) -> datetime:
    """A moment in UTC; one whose UTC form is in no year that Python knows becomes the first or last there is."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if at.year == 1 else datetime.max.replace(tzinfo=UTC)
