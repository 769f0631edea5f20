"""Whoever may write to Redis can lose entries and cost some work, but neither stop the sink nor fill its memory."""

import pytest

from qg_bundle import keys
from qg_bundle.access.reader import RESPONSE_BYTES_MAX
from qg_bundle.bounded_parser import ResponseTooLarge
from qg_bundle.link import open_link
from qg_telemetry.events import AccessBatchRefused
from tests.integration.worker_access.rig import SinkRig
from tests.support.waiting import until
from worker.access_log.watermarks import Put, Watermarks


@pytest.mark.parametrize("planted", ["one_long_value", "many_fields"])
async def test_an_entry_that_no_reader_takes_is_thrown_away(rig: SinkRig, planted: str) -> None:
    log = rig.log()
    fields = {
        "one_long_value": {b"b": b"x" * (RESPONSE_BYTES_MAX + 1)},
        "many_fields": {b"%d" % number: b"" for number in range(RESPONSE_BYTES_MAX // 12)},
    }[planted]
    await rig.send(log.batch(1, 10))
    await rig.redis.xadd(keys.ACCESS, fields)  # type: ignore[arg-type]  # redis-py: a dict of wider types
    await rig.send(log.batch(11, 20))
    rig.sink()
    await until(lambda: rig.reached(log, 20))
    await until(rig.settled)
    assert await rig.value("SELECT count(*) FROM access_log") == 20
    await until(lambda: bool(rig.seen(AccessBatchRefused)))  # told after the entry has been thrown away
    assert [(found.reason, found.entries) for found in rig.seen(AccessBatchRefused)] == [("too_large", 1)]


async def test_other_types_in_the_place_of_its_keys_do_not_stop_the_sink(rig: SinkRig) -> None:
    log = rig.log()
    rig.sink()
    for first in (1, 11, 21):
        await rig.redis.set(keys.ACCESS_PERSISTED, "planted")
        await rig.redis.set(keys.ACCESS, "planted")
        await until(lambda: _is_stream(rig))
        await rig.send(log.batch(first, first + 9))
        await until(lambda up_to=first + 9: _reached(rig, log.log_id, up_to))
    assert await rig.value("SELECT count(*) FROM access_log") == 30


async def test_a_watermark_that_is_too_long_is_not_read_but_put_right(rig: SinkRig) -> None:
    log = rig.log()
    watermarks = Watermarks(rig.redis, rig.persisted_tags)
    await rig.redis.hset(keys.ACCESS_PERSISTED, log.log_id, "9" * 1_000_000)  # type: ignore[misc]  # redis-py: sync or async
    assert await watermarks.publish({log.log_id: 20}) == {log.log_id: Put.ALTERED}
    assert await rig.persisted(log) == 20


async def test_a_link_reads_no_more_than_it_was_told(redis_url: str) -> None:
    link = open_link(redis_url, response_bytes_max=100_000)
    try:
        await link.set("small", "x" * 90_000)
        await link.set("large", "x" * 110_000)
        assert len(await link.get("small")) == 90_000
        for _ in range(3):
            with pytest.raises(ResponseTooLarge):
                await link.get("large")
        assert len(await link.get("small")) == 90_000
    finally:
        await link.aclose()


async def _is_stream(rig: SinkRig) -> bool:
    return bool(await rig.redis.type(keys.ACCESS) == b"stream")


async def _reached(rig: SinkRig, log_id: str, up_to: int) -> bool:
    if await rig.redis.type(keys.ACCESS_PERSISTED) != b"hash":
        return False
    value = await rig.redis.hget(keys.ACCESS_PERSISTED, log_id)  # type: ignore[misc]  # redis-py: sync or async
    return value is not None and int(value.partition(b".")[0]) >= up_to
