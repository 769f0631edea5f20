"""The access log of a real node and real sinks: every request is a row, or counted as lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fixtures.redis import StartRedis
from tests.fixtures.store import StoreUrls
from tests.integration.access_log.access_rig import KEY, RecordingNode
from tests.integration.access_log.killing import killed_after
from tests.integration.worker_access.rig import SinkRig
from tests.support.waiting import until

ANSWERS = 3_000


@pytest.fixture
async def node_rig(store_urls: StoreUrls, redis_url: str) -> AsyncIterator[SinkRig]:
    """Sinks that share the key of `RecordingNode`."""
    found = SinkRig(store_urls, redis_url, seal_key=KEY)
    try:
        yield found
    finally:
        await found.close()


async def test_every_request_is_a_row_across_a_flush(node_rig: SinkRig, tmp_path: Path) -> None:
    rig = node_rig
    rig.sink()
    rig.sink()
    async with RecordingNode(tmp_path, rig.servers.redis_url) as node:
        node.serve(2_000)
        await until(lambda: has_rows(rig, 500))
        node.serve(2_000)
        await rig.redis.flushall()
        node.serve(1_000)
        # What the flush took is sent again once the watermark stood still for some seconds.
        await until(lambda: node.recorder.events_waiting < 5_000)
        node.ahead_s = 11.0
        await until(lambda: node.recorder.events_waiting == 0, timeout_s=60)
        assert await rig.value("SELECT count(*) FROM access_log") == 5_000
        assert await rig.value("SELECT lost FROM access_sources") == 0
        await until(rig.settled)


@pytest.mark.fault
async def test_what_a_killed_node_did_not_write_is_counted_once(
    store_urls: StoreUrls, start_redis: StartRedis, tmp_path: Path
) -> None:
    rig = SinkRig(store_urls, start_redis().address.url(), seal_key=KEY)
    try:
        rig.sink()
        answered = await asyncio.to_thread(killed_after, tmp_path, rig.servers.redis_url, ANSWERS)
        async with RecordingNode(tmp_path, rig.servers.redis_url) as node:
            node.serve(10)
            await until(lambda: node.recorder.events_waiting == 0, timeout_s=60)
        stored = await rig.value("SELECT count(*) FROM access_log")
        lost = await rig.value("SELECT sum(lost) FROM access_sources")
        # One request was running: it had a number, and perhaps no answer.
        assert answered + 10 <= stored + lost <= answered + 11
        assert lost > 0
    finally:
        await rig.close()


async def has_rows(rig: SinkRig, count: int) -> bool:
    return bool(await rig.value("SELECT count(*) >= $1 FROM access_log", count))
