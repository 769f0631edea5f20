"""The waker on a real Redis, and without one."""

import asyncio
import time

from redis.asyncio import Redis

from qg_bundle.wake import EXPIRES_AFTER, JOB_ID, QUEUE_NAME, Waker, deserialize


async def test_however_often_it_is_asked_one_wake_up_waits(redis_url: str) -> None:
    waker = Waker(redis_url)
    redis = Redis.from_url(redis_url)
    try:
        assert all(await asyncio.gather(*(waker.wake() for _ in range(20))))
        assert await redis.zcard(QUEUE_NAME) == 1
        body = await redis.get(f"arq:job:{JOB_ID}")
        assert deserialize(body)["f"] == "wake"
        assert 0 < await redis.pttl(f"arq:job:{JOB_ID}") <= EXPIRES_AFTER.total_seconds() * 1_000
        # Taken by nobody, then expired: the next one takes the same place.
        await redis.delete(f"arq:job:{JOB_ID}")
        assert await waker.wake()
        assert await redis.zcard(QUEUE_NAME) == 1
        assert await redis.keys("*") != []
        assert {key.split(b":")[0] for key in await redis.keys("*")} == {b"qg", b"arq"}
    finally:
        await waker.close()
        await redis.aclose()


async def test_without_redis_it_says_so_and_costs_little(free_port: int) -> None:
    waker = Waker(f"redis://127.0.0.1:{free_port}/0")
    assert await waker.wake() is False
    await waker.close()


async def test_a_redis_that_hangs_holds_nobody_up() -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    waker = Waker(f"redis://127.0.0.1:{port}/0", timeout_s=0.2)
    started = time.monotonic()
    assert await waker.wake() is False
    # 0.2 s each for connecting and for the whole; the bound is for a machine with much else to do.
    assert time.monotonic() - started < 3
    await waker.close()
    server.close()


async def test_a_planted_job_of_the_same_name_is_left_alone(redis_url: str) -> None:
    """Whoever may write to Redis can suppress wake-ups, at the cost of a poll; it must not break the waker."""
    waker = Waker(redis_url)
    redis = Redis.from_url(redis_url)
    await redis.set(f"arq:job:{JOB_ID}", b"\x80\x04N.")
    await redis.set(QUEUE_NAME, b"no sorted set")
    assert await waker.wake() is True
    await redis.delete(f"arq:job:{JOB_ID}")
    assert await waker.wake() is False
    await waker.close()
    await redis.aclose()
