"""The connection to Redis: every wait has an end, so a Redis that hangs is an error and never a standstill."""

import asyncio

from redis.asyncio import Redis
from redis.asyncio.connection import BlockingConnectionPool
from redis.exceptions import RedisError

from qg_bundle.bounded_parser import bounded_parser
from qg_bundle.limits import CHECKPOINT_BYTES_MAX

SOCKET_TIMEOUT_S = 2.0
CONNECTIONS_MAX = 8
CANCEL_AGAIN_S = 0.5

RESPONSE_BYTES_MAX = CHECKPOINT_BYTES_MAX + 4_194_304
"""The longest answer that anybody needs, with some room."""

LINK_ERRORS = (RedisError, OSError, TimeoutError)
"""What a call may raise when Redis is away, hangs, refuses or answers nonsense."""


def open_link(
    url: str,
    *,
    timeout_s: float = SOCKET_TIMEOUT_S,
    connections_max: int = CONNECTIONS_MAX,
    response_bytes_max: int = RESPONSE_BYTES_MAX,
) -> Redis:
    """A client with its own bounded pool; connects when first used. Close it with `aclose()`.

    A call that finds all connections in use waits for one, `timeout_s` at most. An answer longer than
    `response_bytes_max` is not read to its end (`ResponseTooLarge`). No retries inside: the callers' loops retry, with
    backoff, and report.
    """
    # Off unless asked for in redis-py 5: a certificate for any other host would do.
    tls = {"ssl_check_hostname": True} if url.startswith("rediss:") else {}
    pool = BlockingConnectionPool.from_url(
        url,
        **tls,
        max_connections=connections_max,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        socket_keepalive=True,
        decode_responses=False,
        retry_on_timeout=False,
        parser_class=bounded_parser(response_bytes_max),
    )
    return Redis.from_pool(pool)


def narrow_link(redis: Redis, response_bytes_max: int) -> Redis:
    """A client of the same Redis, of one connection that takes shorter answers only. Close it with `aclose()`."""
    of = redis.connection_pool
    pool = BlockingConnectionPool(
        connection_class=of.connection_class,
        max_connections=1,
        timeout=int(SOCKET_TIMEOUT_S),
        **{**of.connection_kwargs, "parser_class": bounded_parser(response_bytes_max)},
    )
    return Redis.from_pool(pool)


async def eviction_policy(redis: Redis) -> str | None:
    """Redis' `maxmemory-policy`, null when it does not tell. Anything but `noeviction` may lose the bundle.

    Raises one of `LINK_ERRORS`. Read from INFO: CONFIG is often forbidden.
    """
    memory = await redis.info("memory")
    policy = memory.get("maxmemory_policy")
    return str(policy) if policy is not None else None


async def end_tasks(*tasks: asyncio.Task[None] | None) -> None:
    """Cancel these loops and wait until they have ended.

    More than once if need be: `asyncio.wait_for` of Python 3.11, which redis-py uses for each write, loses a
    cancellation that arrives together with its result (cpython issue 86296).
    """
    left = {task for task in tasks if task is not None and not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
