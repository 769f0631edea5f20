"""Redis flushed or away, Postgres away: nothing that a node sent is lost, and no sink ends."""

import asyncio

import asyncpg
import pytest

from qg_bundle import keys
from qg_bundle.access import reader
from qg_devstack.databases import create_database
from qg_store import migrate
from qg_store.engine import make_engine, make_sessions
from qg_telemetry.events import AccessWatermarksRestored, LoopFailed, LoopRecovered
from tests.fixtures.postgres import StartPostgres
from tests.fixtures.redis import StartRedis
from tests.fixtures.store import StoreUrls
from tests.integration.worker_access.rig import SinkRig
from tests.support.waiting import until
from worker.access_log import AccessSink
from worker.access_log.watermarks import Put, Watermarks


async def test_after_a_flush_the_sink_reads_on_and_watermarks_come_back(rig: SinkRig) -> None:
    log, silent = rig.log(), rig.log("node-2")
    rig.sink()
    await rig.send(log.batch(1, 10), silent.batch(1, 7))
    await until(lambda: rig.reached(log, 10))
    await until(lambda: rig.reached(silent, 7))
    await until(rig.settled)
    for _ in range(2):
        await rig.redis.flushall()
        # Sent before there is a group again, perhaps.
        await rig.send(log.batch(11, 20))
        await until(lambda: rig.reached(log, 20))
        await until(lambda: rig.reached(silent, 7))
        await until(rig.settled)
    assert await rig.value("SELECT count(*) FROM access_log") == 27
    assert sum(found.missing for found in rig.seen(AccessWatermarksRestored)) >= 1


async def test_an_altered_watermark_is_put_right(rig: SinkRig) -> None:
    log = rig.log()
    rig.sink()
    await rig.send(log.batch(1, 10))
    await until(lambda: rig.reached(log, 10))
    await rig.redis.hset(keys.ACCESS_PERSISTED, log.log_id, "9999." + "0" * 64)  # type: ignore[misc]  # redis-py: sync or async
    assert await rig.persisted(log) == -1
    await until(lambda: rig.reached(log, 10))
    assert sum(found.altered for found in rig.seen(AccessWatermarksRestored)) == 1


async def test_a_watermark_never_moves_back(rig: SinkRig) -> None:
    log, other = rig.log(), rig.log()
    watermarks = Watermarks(rig.redis, rig.persisted_tags)
    assert await watermarks.publish({log.log_id: 20, other.log_id: 5}) == {
        log.log_id: Put.MISSING,
        other.log_id: Put.MISSING,
    }
    await asyncio.gather(*[watermarks.publish({log.log_id: sequence}) for sequence in (10, 30, 25, 20, 29)])
    assert await rig.persisted(log) == 30
    assert await watermarks.publish({log.log_id: 30, other.log_id: 6}) == {other.log_id: Put.MOVED}
    assert await rig.persisted(other) == 6
    # What another log was told counts for nothing here.
    value = await rig.redis.hget(keys.ACCESS_PERSISTED, log.log_id)  # type: ignore[misc]  # redis-py: sync or async
    await rig.redis.hset(keys.ACCESS_PERSISTED, other.log_id, value)  # type: ignore[misc]  # redis-py: sync or async
    assert await watermarks.publish({other.log_id: 6}) == {other.log_id: Put.ALTERED}
    assert await rig.persisted(other) == 6


async def test_a_sink_that_never_began_or_has_no_postgres_ends_soon(rig: SinkRig, free_port: int) -> None:
    engine = make_engine(f"postgresql://nobody:x@127.0.0.1:{free_port}/none")
    for begins in (False, True):
        sink = AccessSink(
            sessions=make_sessions(engine),
            redis=rig.redis,
            batch_tags=rig.batch_tags,
            persisted_tags=rig.persisted_tags,
            observe=rig.observed.append,
            retention_days=lambda: 90,
            worker="w",
        )
        if begins:
            sink.start()
            await until(lambda: len(rig.seen(LoopFailed)) > 3)
        await asyncio.wait_for(sink.close(), 15)
    await engine.dispose()


async def test_a_group_that_vanished_is_made_again(rig: SinkRig) -> None:
    log = rig.log()
    rig.sink()
    await rig.send(log.batch(1, 10))
    await until(lambda: rig.reached(log, 10))
    await rig.redis.xgroup_destroy(keys.ACCESS, keys.ACCESS_GROUP)
    await rig.send(log.batch(11, 20))
    await until(lambda: rig.reached(log, 20))


async def test_trimmed_entries_do_no_harm(rig: SinkRig) -> None:
    log = rig.log()
    await rig.send(log.batch(1, 10), log.batch(11, 20))
    # Somebody took them and died; then the stream was trimmed.
    await rig.redis.xgroup_create(keys.ACCESS, keys.ACCESS_GROUP, id="0")
    await rig.redis.xreadgroup(keys.ACCESS_GROUP, "gone", {keys.ACCESS: ">"})
    await rig.redis.xtrim(keys.ACCESS, maxlen=1, approximate=False)
    rig.sink()
    await until(rig.settled)
    await rig.send(log.batch(1, 20))
    await until(lambda: rig.reached(log, 20))
    assert await rig.value("SELECT count(*) FROM access_dead_letters") == 0
    pending = await rig.redis.xpending(keys.ACCESS, keys.ACCESS_GROUP)
    assert pending["pending"] == 0


async def test_a_sink_that_ends_leaves_no_consumer(rig: SinkRig) -> None:
    sink = rig.sink()
    await until(lambda: rig.redis.exists(keys.ACCESS))
    await until(lambda: _has_group(rig))
    await sink.close()
    assert await rig.redis.xinfo_consumers(keys.ACCESS, keys.ACCESS_GROUP) == []


async def test_consumers_that_are_gone_are_forgotten_but_not_what_they_hold(rig: SinkRig) -> None:
    await rig.send(rig.log().batch(1, 10))
    await reader.make_group(rig.redis)
    for consumer in ("holds", "silent", "ends"):
        await reader.read_new(rig.redis, consumer, entries_max=1, block_ms=1)

    async def forget(idle_ms: int, also: str) -> list[bytes]:
        await reader.forget_consumers(rig.redis, idle_ms=idle_ms, also=also)
        return [each["name"] for each in await rig.redis.xinfo_consumers(keys.ACCESS, keys.ACCESS_GROUP)]

    assert await forget(60_000, "ends") == [b"holds", b"silent"]
    assert await forget(60_000, "holds") == [b"holds", b"silent"]
    assert await forget(0, "") == [b"holds"]


@pytest.mark.fault
async def test_a_redis_that_comes_back_empty_or_late_ends_nothing(
    store_urls: StoreUrls, start_redis: StartRedis
) -> None:
    server = start_redis()
    rig = SinkRig(store_urls, server.address.url())
    try:
        log = rig.log()
        rig.sink()
        await rig.send(log.batch(1, 10))
        await until(lambda: rig.reached(log, 10))
        server.kill()
        await until(lambda: bool(rig.seen(LoopFailed)))
        server.start()
        await rig.send(log.batch(11, 20))
        await until(lambda: rig.reached(log, 20))
        assert await rig.value("SELECT count(*) FROM access_log") == 20
    finally:
        await rig.close()


@pytest.mark.fault
async def test_while_postgres_is_away_entries_stay_and_are_stored_after(
    start_postgres: StartPostgres, redis_url: str
) -> None:
    server = start_postgres()
    url = await asyncio.to_thread(create_database, server.address, "outage")
    await asyncio.to_thread(migrate.upgrade, url)
    rig = SinkRig(StoreUrls(superuser=url, owner=url, app=url, worker=url), redis_url)
    try:
        log = rig.log()
        rig.sink(), rig.sink()
        await rig.send(log.batch(1, 100))
        await until(lambda: rig.reached(log, 100))
        server.stop()
        await rig.send(*[log.batch(first, first + 99) for first in range(101, 3_001, 100)])
        await until(lambda: len(rig.seen(LoopFailed)) > 4)
        assert await rig.persisted(log) == 100
        assert await rig.redis.xlen(keys.ACCESS) == 29
        server.start()
        await until(lambda: rig.reached(log, 3_000), timeout_s=60)
        await until(rig.settled)
        assert await rig.value("SELECT count(*) FROM access_log") == 3_000
        assert await rig.value("SELECT lost FROM access_sources") == 0
        assert rig.seen(LoopRecovered)
    finally:
        await rig.close()


async def test_a_transaction_that_is_cut_off_is_done_again(rig: SinkRig) -> None:
    """Sessions are ended by the server again and again while events are stored."""
    log = rig.log()
    rig.sink()
    connection = await asyncpg.connect(rig.urls.superuser)
    try:
        for first in range(1, 2_001, 100):
            await rig.send(log.batch(first, first + 99))
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    finally:
        await connection.close()
    await until(lambda: rig.reached(log, 2_000), timeout_s=60)
    assert await rig.value("SELECT count(*) FROM access_log") == 2_000


async def _has_group(rig: SinkRig) -> bool:
    return bool(await rig.redis.xinfo_groups(keys.ACCESS))
