"""Access events on their way through a real Redis that stops, forgets, lies or takes no more."""

from pathlib import Path

import pytest
from redis.exceptions import NoPermissionError

from data_plane.access_log import outbox as outbox_module
from qg_bundle import keys
from qg_bundle.access.codec import EVENTS_MAX, persisted_value
from qg_bundle.link import LINK_ERRORS
from qg_security.sealing import new_fernet_key
from qg_security.tags import ACCESS_PERSISTED_CONTEXT, TagKeys
from qg_telemetry.events import (
    AccessBatchesLost,
    AccessSendingFailed,
    AccessSendingResumed,
    AccessWatermarkRefused,
)
from tests.fixtures.redis import StartRedis
from tests.integration.access_log.access_rig import BATCH_TAGS, PERSISTED_TAGS, RecordingNode, Sink, stream_length
from tests.support.waiting import until

pytestmark = pytest.mark.fault


async def test_events_arrive_once_and_in_batches(tmp_path: Path, redis_url: str) -> None:
    async with RecordingNode(tmp_path, redis_url) as node, Sink(redis_url) as sink:
        node.serve(3_000)
        await sink.until_persisted(node.log_id, 3_000)
        assert (sink.received, sink.lost(node.log_id)) == (3_000, 0)
        assert sink.entries <= 12
        await until(lambda: node.recorder.outstanding_bytes == 0)


async def test_a_redis_that_was_away_and_forgot_gets_it_all_again(tmp_path: Path, start_redis: StartRedis) -> None:
    server = start_redis()
    async with RecordingNode(tmp_path, server.address.url()) as node:
        node.serve(500)
        await until(lambda: node.recorder.outstanding_bytes > 0)
        server.kill()
        node.serve(500)
        await until(lambda: bool(node.told(AccessSendingFailed)))
        server.start()
        async with Sink(server.address.url()) as sink:
            await until(lambda: bool(node.told(AccessSendingResumed)))
            await sink.take()
            assert sink.persisted(node.log_id) == 0
            node.ahead_s = outbox_module.SEND_AGAIN_AFTER_S
            await sink.until_persisted(node.log_id, 1_000)
            assert sink.lost(node.log_id) == 0
        assert [(found.after, found.reason) for found in node.told(AccessBatchesLost)] == [(0, "gone")]


async def test_a_flush_in_the_middle_loses_nothing(tmp_path: Path, redis_url: str) -> None:
    async with RecordingNode(tmp_path, redis_url) as node, Sink(redis_url) as sink:
        node.serve(600)
        await sink.until_persisted(node.log_id, 600)
        await until(lambda: node.recorder.outstanding_bytes == 0)
        node.serve(600)
        await until(lambda: node.recorder.outstanding_bytes > 0)
        await sink.redis.flushdb()
        node.serve(600)
        await sink.until_stored(1_200)
        node.ahead_s = outbox_module.SEND_AGAIN_AFTER_S
        await sink.until_persisted(node.log_id, 1_800)
        assert (sink.lost(node.log_id), sink.stored()) == (0, 1_800)
        (lost,) = node.told(AccessBatchesLost)
        assert (lost.after, lost.reason) == (600, "gone")


async def test_a_worker_that_is_slow_is_not_sent_everything_again(tmp_path: Path, redis_url: str) -> None:
    async with RecordingNode(tmp_path, redis_url) as node, Sink(redis_url) as sink:
        node.serve(600)
        await until(lambda: node.recorder.outstanding_bytes > 0)
        entries = await stream_length(sink.redis)
        node.ahead_s = 10 * outbox_module.SEND_AGAIN_AFTER_S
        node.serve(1)  # proof that the node has looked: it goes out behind
        await until(lambda: _longer(sink, entries))
        assert node.told(AccessBatchesLost) == []
        assert await stream_length(sink.redis) == entries + 1
        node.ahead_s = 2 * outbox_module.SEND_AGAIN_ANYWAY_S
        await until(lambda: bool(node.told(AccessBatchesLost)))
        await sink.until_persisted(node.log_id, 601)


async def put_raw(sink: Sink, log_id: str, value: bytes) -> None:
    """What somebody who may write to Redis says of a log."""
    pipe = sink.redis.pipeline()
    pipe.hset(keys.ACCESS_PERSISTED, log_id, value)  # type: ignore[arg-type]  # redis-py: bytes are fine
    await pipe.execute()


async def _longer(sink: Sink, entries: int) -> bool:
    return await stream_length(sink.redis) > entries


async def test_what_is_out_is_bounded(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "OUTSTANDING_BYTES_MAX", 20_000)
    async with RecordingNode(tmp_path, redis_url) as node, Sink(redis_url) as sink:
        node.serve(10_000, at_once=1_000)
        await until(lambda: node.recorder.outstanding_bytes >= 20_000)
        entries = await stream_length(sink.redis)
        node.serve(1_000)
        await node.written()
        await node.sender.step()
        assert await stream_length(sink.redis) == entries
        assert node.recorder.outstanding_bytes < 30_000
        await sink.until_persisted(node.log_id, 11_000, timeout_s=40)
        assert (sink.lost(node.log_id), sink.received) == (0, 11_000)


async def test_what_redis_took_before_it_refused_is_not_sent_again(tmp_path: Path, redis_url: str) -> None:
    room = 5
    events = 8 * EVENTS_MAX
    async with RecordingNode(tmp_path, redis_url) as node, Sink(redis_url) as sink:
        last_id = 2**64 - 1
        junk = await sink.redis.xadd(keys.ACCESS, {"x": "y"}, id=f"{last_id}-{last_id - room}")  # so many ids are left
        await sink.redis.xdel(keys.ACCESS, junk)
        node.serve(events, at_once=1_000)
        await until(lambda: bool(node.told(AccessSendingFailed)))
        for _ in range(3):
            with pytest.raises(LINK_ERRORS):
                await node.sender.step()
        assert await stream_length(sink.redis) == room
        assert node.recorder.outstanding_bytes > 0, "they are known to be on their way"
        await sink.take()
        assert sink.received == room * EVENTS_MAX
        await sink.redis.delete(keys.ACCESS)
        await sink.until_persisted(node.log_id, events)
        assert (sink.lost(node.log_id), sink.received) == (0, events)


@pytest.mark.parametrize("forged", ["other_key", "other_log", "other_purpose", "number_alone", "long"])
async def test_a_forged_watermark_drops_nothing(tmp_path: Path, redis_url: str, forged: str) -> None:
    stranger = TagKeys([new_fernet_key()], ACCESS_PERSISTED_CONTEXT)
    async with RecordingNode(tmp_path, redis_url) as node, Sink(redis_url) as sink:
        log_id = node.log_id
        value = {
            "other_key": persisted_value(stranger, log_id, 400),
            "other_log": persisted_value(PERSISTED_TAGS, "f" * 32, 400),
            "other_purpose": persisted_value(BATCH_TAGS, log_id, 400),
            "number_alone": b"400",
            "long": b"4" * 10_000,
        }[forged]
        node.serve(400)
        await until(lambda: node.recorder.outstanding_bytes > 0)
        await put_raw(sink, log_id, value)
        node.ahead_s += 2
        await node.sender.step()
        assert len(node.told(AccessWatermarkRefused)) == (0 if forged == "long" else 1)
        assert node.recorder.events_waiting == 400
        await sink.until_persisted(log_id, 400)
        await until(lambda: node.recorder.events_waiting == 0)


@pytest.mark.parametrize("key", [keys.ACCESS, keys.ACCESS_PERSISTED])
async def test_keys_of_another_type_are_a_failure_and_no_standstill(tmp_path: Path, redis_url: str, key: str) -> None:
    async with RecordingNode(tmp_path, redis_url) as node, Sink(redis_url) as sink:
        await sink.redis.set(key, "planted")
        node.serve(50)
        if key == keys.ACCESS:
            await until(lambda: bool(node.told(AccessSendingFailed)))
            assert "XADD" not in node.told(AccessSendingFailed)[0].detail, "nothing of a batch is quoted"
        else:
            await until(lambda: node.recorder.outstanding_bytes > 0)
        await sink.redis.delete(key)
        await sink.until_persisted(node.log_id, 50)


async def test_an_old_watermark_takes_nothing_back(tmp_path: Path, redis_url: str) -> None:
    async with RecordingNode(tmp_path, redis_url) as node, Sink(redis_url) as sink:
        node.serve(300)
        await sink.until_persisted(node.log_id, 300)
        await until(lambda: node.recorder.events_waiting == 0)
        sink.base.clear()
        await put_raw(sink, node.log_id, persisted_value(PERSISTED_TAGS, node.log_id, 100))
        numbers = node.serve(10)
        await sink.until_stored(310)
        assert numbers[-1] == 310
        assert sink.received == 310


async def test_what_is_left_at_the_end_is_sent_once_more(tmp_path: Path, redis_url: str) -> None:
    async with Sink(redis_url) as sink:
        async with RecordingNode(tmp_path, redis_url) as node:
            node.serve(250)
        await sink.take()
        assert sink.stored() == 250


NODE_RIGHTS = (
    "on",
    ">node-password",
    "resetkeys",
    "%R~qg:*",
    "~qg:access",
    "-@all",
    *("+xadd", "+xrange", "+hstrlen", "+hget", "+eval_ro", "+select", "+client|setinfo"),
)
"""What docs/architecture.md says the access log adds to a data plane's Redis user."""


async def test_a_node_needs_few_rights_to_send(tmp_path: Path, start_redis: StartRedis) -> None:
    server = start_redis()
    async with Sink(server.address.url()) as sink:
        await sink.redis.execute_command("ACL", "SETUSER", "qg-node", *NODE_RIGHTS)  # type: ignore[no-untyped-call]  # untyped
        url = f"redis://qg-node:node-password@{server.address.host}:{server.address.port}/0"
        async with RecordingNode(tmp_path, url) as node:
            node.serve(300)
            await until(lambda: node.recorder.outstanding_bytes > 0)
            await sink.redis.delete(keys.ACCESS)
            node.ahead_s = outbox_module.SEND_AGAIN_AFTER_S
            await until(lambda: bool(node.told(AccessBatchesLost)))
            await sink.until_persisted(node.log_id, 300)
            await until(lambda: node.recorder.events_waiting == 0)
            assert node.told(AccessSendingFailed) == []
            # A node says what it has, never how far it is stored.
            with pytest.raises(NoPermissionError):
                await node.redis.execute_command("HSET", keys.ACCESS_PERSISTED, node.log_id, "1")  # type: ignore[no-untyped-call]  # untyped
