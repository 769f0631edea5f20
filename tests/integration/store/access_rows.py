"""Rows of the access log for tests: made, added, and where they are."""

from datetime import UTC, date, datetime, time

import asyncpg

from qg_store.engine import SessionFactory
from qg_store.repositories import access_log
from qg_store.repositories.access_log import AccessRow
from tests.fixtures.store import StoreUrls

NOW = datetime.now(UTC)
TODAY = NOW.date()
MIDDAY = datetime.combine(TODAY, time(12), UTC)


def row_of(number: int, *, at: datetime | None = None, **other: object) -> AccessRow:
    values: dict[str, object] = {
        "event_id": f"log.{number}",
        "at": at or NOW,
        "request_id": f"request-{number}",
        "endpoint_id": None,
        "path": "orders",
        "method": "GET",
        "principal": "ada",
        "auth_method_id": None,
        "credential_id": None,
        "remote_ip": "192.0.2.1",
        "status": 200,
        "duration_ms": 1.25,
        "row_count": 3,
        "bytes": 5_000_000_000,
        "revision": 7,
        "node": "node-1",
    }
    return AccessRow(**{**values, **other})  # type: ignore[arg-type]  # a test's shorthand


async def add_rows(sessions: SessionFactory, rows: list[AccessRow]) -> int:
    async with sessions() as session:
        added = await access_log.add(session, rows)
        await session.commit()
    return added


async def make_partition(sessions: SessionFactory, day: date) -> bool:
    async with sessions() as session:
        made = await access_log.make_partition(session, day)
        await session.commit()
    return made


async def places(urls: StoreUrls) -> dict[str, int]:
    """table -> rows of the access log that are really in it."""
    connection = await asyncpg.connect(urls.superuser)
    rows = await connection.fetch("SELECT tableoid::regclass::text AS place, count(*) FROM access_log GROUP BY 1")
    await connection.close()
    return {row["place"]: row["count"] for row in rows}
