"""Daily partitions: there before their day, gone after the retention, whatever else is in the default one."""

from datetime import UTC, datetime, timedelta

import asyncpg

from qg_store.repositories.locks import PARTITIONS_LOCK, try_lock
from qg_telemetry.events import AccessPartitionFailed, AccessPartitionsDropped
from tests.integration.worker_access.rig import SinkRig, event
from tests.support.access_lines import encode_event
from tests.support.waiting import until
from worker.access_log.partitions import Partitions

PARTITIONS = """
SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'access_log'::regclass AND relname <> 'access_log_default' ORDER BY relname
"""


def name_of(offset_days: int) -> str:
    return f"access_log_{datetime.now(UTC) + timedelta(days=offset_days):%Y%m%d}"


async def partitions(rig: SinkRig) -> list[str]:
    return [row[0] for row in await rig.query(PARTITIONS)]


async def make_old(rig: SinkRig, days: int) -> None:
    """A partition with a row, as one that was made `days` days ago."""
    at = datetime.now(UTC) - timedelta(days=days)
    day, name = at.date(), name_of(-days)
    await rig.query(f"CREATE TABLE {name} (LIKE access_log INCLUDING ALL)")
    await rig.query(
        f"ALTER TABLE access_log ATTACH PARTITION {name} FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')"
    )
    await rig.query(f"ALTER TABLE {name} OWNER TO qg_owner")
    await add_row(rig, at)


async def add_row(rig: SinkRig, at: datetime) -> None:
    await rig.query(
        "INSERT INTO access_log (day, event_id, at, request_id, path, method, status, duration_ms, bytes, node)"
        " VALUES ($1, $2, $3, 'r', '/', 'GET', 200, 1, 0, 'n')",
        at.date(),
        str(at.timestamp()),
        at,
    )


async def test_partitions_are_there_before_their_day(rig: SinkRig) -> None:
    rig.sink()
    expected = [name_of(offset) for offset in range(-1, 4)]
    await until(lambda: _are(rig, expected))


async def test_what_is_older_than_the_retention_goes(rig: SinkRig) -> None:
    for days in (5, 10, 11, 40):
        await make_old(rig, days)
    for days in (9, 30, 400):
        await add_row(rig, datetime.now(UTC) - timedelta(days=days))
    await rig.query(
        "INSERT INTO access_dead_letters (at, reason, detail, body) VALUES"
        " (now() - interval '12 days', 'old', '', ''), (now() - interval '8 days', 'young', '', '')"
    )
    await rig.query(
        "INSERT INTO access_sources (log_id, node, last_seen) VALUES"
        " ('old', 'n', now() - interval '401 days'), ('young', 'n', now() - interval '390 days')"
    )
    rig.sink(retention_days=10)
    await until(lambda: bool(rig.seen(AccessPartitionsDropped)))
    kept = sorted(name_of(offset) for offset in (-10, -5, *range(-1, 4)))
    assert await partitions(rig) == kept
    assert await rig.value("SELECT count(*) FROM access_log_default") == 1
    assert await rig.value("SELECT count(*) FROM access_log") == 3
    assert [row["reason"] for row in await rig.query("SELECT reason FROM access_dead_letters")] == ["young"]
    assert [row["log_id"] for row in await rig.query("SELECT log_id FROM access_sources")] == ["young"]
    (dropped,) = rig.seen(AccessPartitionsDropped)
    assert dropped.days == tuple(str((datetime.now(UTC) - timedelta(days=days)).date()) for days in (40, 11))
    assert (dropped.rows_removed, dropped.dead_letters_removed, dropped.logs_forgotten) == (2, 1, 1)


async def test_a_day_that_has_rows_in_the_default_partition_stays_there(rig: SinkRig) -> None:
    await add_row(rig, datetime.now(UTC) + timedelta(days=2))
    log = rig.log()
    rig.sink()
    await rig.send(log.fields([encode_event(event(1)), encode_event(event(2))], first=1))
    await until(lambda: rig.reached(log, 2))
    assert await partitions(rig) == [name_of(offset) for offset in (-1, 0, 1, 3)]
    assert {found.day for found in rig.seen(AccessPartitionFailed)} == {
        str((datetime.now(UTC) + timedelta(days=2)).date())
    }


async def test_one_worker_at_a_time_removes(rig: SinkRig) -> None:
    await make_old(rig, 40)
    second = Partitions(rig.sessions, rig.observed.append, lambda: 10)
    async with rig.sessions() as first:
        assert await try_lock(first, PARTITIONS_LOCK)
        await second.remove_aged()
        assert name_of(-40) in await partitions(rig)
    await second.remove_aged()
    assert name_of(-40) not in await partitions(rig)


async def test_a_partition_that_somebody_reads_goes_later_and_the_others_now(rig: SinkRig) -> None:
    for days in (40, 50):
        await make_old(rig, days)
    aged = Partitions(rig.sessions, rig.observed.append, lambda: 10)
    reader = await asyncpg.connect(rig.urls.superuser)
    try:
        async with reader.transaction():
            await reader.fetch(f"SELECT * FROM {name_of(-40)}")
            await aged.remove_aged()
            assert await partitions(rig) == [name_of(-40)]
            assert [(found.action, found.error) for found in rig.seen(AccessPartitionFailed)] == [("drop", "55P03")]
    finally:
        await reader.close()
    await aged.remove_aged()
    assert await partitions(rig) == []


async def _are(rig: SinkRig, expected: list[str]) -> bool:
    return await partitions(rig) == expected
