"""Wake-ups, and whatever else somebody puts into their queue."""

import pickle
import time

import pytest
from redis import Redis

from qg_bundle.wake import JOB_ID, QUEUE_NAME, Waker, serialize
from qg_devstack.servers import RedisServer
from qg_telemetry.events import Event
from tests.fixtures.redis import StartRedis
from tests.integration.worker.rig import WorkerRig
from tests.support.waiting import until, wait_until
from worker.waking.listening import LOOKS_APART_S, Waking


class Planted:
    """Unpickling it would leave a file behind."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.path, "w")


async def test_a_wake_up_is_a_look_at_once(redis_url: str) -> None:
    """Without the poll of the claims, which would hide that nobody was woken."""
    looks, events = 0, list[Event]()

    def look() -> None:
        nonlocal looks
        looks += 1

    waker, waking = Waker(redis_url), Waking(redis_url, look, events.append)
    waking.start()
    try:
        for expected in (1, 2):
            assert await waker.wake()
            await until(lambda expected=expected: looks == expected)
        with Redis.from_url(redis_url) as redis:
            await until(lambda: redis.zcard(QUEUE_NAME) == 0)
            assert not redis.keys("arq:result:*")
    finally:
        await waking.close()
        await waker.close()
    assert events == []


async def test_however_many_wake_ups_are_planted_looks_are_apart(redis_url: str) -> None:
    looks, events = list[float](), list[Event]()
    waking = Waking(redis_url, lambda: looks.append(time.monotonic()), events.append)
    with Redis.from_url(redis_url) as redis:
        now_ms = int(time.time() * 1_000)
        job = serialize({"t": None, "f": "wake", "a": (), "k": {}, "et": now_ms})
        for number in range(100):
            redis.set(f"arq:job:planted-{number}", job, ex=60)
            redis.zadd(QUEUE_NAME, {f"planted-{number}": now_ms})
        waking.start()
        try:
            await until(lambda: redis.zcard(QUEUE_NAME) == 0)
            await until(lambda: bool(looks))
        finally:
            await waking.close()
    assert events == []
    # One more: each is noted a moment after it was due, and that moment may be long for the first of them.
    assert len(looks) <= 2 + (looks[-1] - looks[0]) / LOOKS_APART_S


async def test_what_is_no_wake_up_is_refused_counted_and_gone(gate: WorkerRig) -> None:
    worker = gate.worker()
    left = gate.directory / "ran"
    with Redis.from_url(gate.redis_url) as redis:
        for name, body in {
            "pickle": pickle.dumps(Planted(str(left))),
            "pickled job": pickle.dumps({"t": 1, "f": "wake", "a": (), "k": {}, "et": 1}),
            "other function": b"\x83\xa1f\xa4evil\xa2et\x01\xa1a\x90",
            "nonsense": b"\xc1" * 50_000,
        }.items():
            redis.set(f"arq:job:{name}", body, ex=60)
            redis.zadd(QUEUE_NAME, {name: time.time() * 1000})
        wait_until(lambda: len(worker.lines(event="queued_job_refused")) == 4, "all four are refused")
        wait_until(lambda: redis.zcard(QUEUE_NAME) == 0, "the queue is empty")
        assert not redis.keys("arq:job:*")
        assert not redis.keys("arq:result:*")
        assert not left.exists()
        # What arq itself can't stand.
        redis.zadd(QUEUE_NAME, {b"\xff\xfe not utf-8": time.time() * 1000})
        worker.wait_for_line(event="queued_job_refused", reason="queue_broken")
        wait_until(lambda: redis.zcard(QUEUE_NAME) == 0, "the queue is empty again")
        redis.set(QUEUE_NAME, "no queue at all")
        wait_until(lambda: redis.type(QUEUE_NAME) in {b"none", b"zset"}, "the queue can be one again")
        # A job under the very name of the wake-ups, larger than anybody reads, that never expires.
        redis.set(f"arq:job:{JOB_ID}", b"\xc1" * 20_000_000)
        redis.zadd(QUEUE_NAME, {JOB_ID: time.time() * 1000})
        wait_until(lambda: not redis.exists(QUEUE_NAME, f"arq:job:{JOB_ID}"), "it is thrown away")
        # The queue is emptied before the line of it has reached the file.
        wait_until(lambda: len(worker.lines(event="queued_job_refused", reason="queue_broken")) == 3, "each is told")
        waker = Waker(gate.redis_url)
        try:
            assert await waker.wake()
            wait_until(lambda: redis.zcard(QUEUE_NAME) == 0, "the next wake-up is taken", timeout_s=10.0)
        finally:
            await waker.close()
    assert worker.metric("qg_events_total") >= 5
    await gate.until_status(await gate.run_of("select 1 as one from dual"), "success")


@pytest.mark.fault
async def test_runs_go_on_without_redis_and_wake_ups_after_it(gate: WorkerRig, start_redis: StartRedis) -> None:
    server: RedisServer = start_redis()
    gate.redis_url = server.address.url()
    worker = gate.worker()
    server.kill()
    run_id = await gate.run_of("select 1 as one from dual")
    await gate.until_status(run_id, "success")
    worker.wait_for_line(event="snapshot_copy_failed")
    worker.wait_for_line(event="loop_failed", loop="waking")
    server.start()
    worker.wait_for_line(event="snapshots_repaired", timeout_s=20)
    waker = Waker(gate.redis_url)
    try:
        wait_s = time.monotonic() + 15
        with Redis.from_url(gate.redis_url) as redis:
            while not redis.exists(f"{QUEUE_NAME}:health-check"):
                assert time.monotonic() < wait_s, "nobody listens for wake-ups"
            assert await waker.wake()
            wait_until(lambda: redis.zcard(QUEUE_NAME) == 0, "the wake-up was taken")
    finally:
        await waker.close()
    assert worker.process.poll() is None
