"""The connection to Redis: every wait has an end, so a Redis that hangs is an error and never a standstill."""

from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool
from redis.exceptions import RedisError

SOCKET_TIMEOUT_S = 2.0
CONNECTIONS_MAX = 8

LINK_ERRORS = (RedisError, OSError, TimeoutError)
"""What a call may raise when Redis is away, hangs, refuses or answers nonsense."""


def open_link(url: str, *, timeout_s: float = SOCKET_TIMEOUT_S, connections_max: int = CONNECTIONS_MAX) -> Redis:
    """A client with its own bounded pool; connects when first used. Close it with `aclose()`.

    No retries inside: the callers' loops retry, with backoff, and report.
    """
    pool: ConnectionPool = ConnectionPool.from_url(
        url,
        max_connections=connections_max,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        socket_keepalive=True,
        decode_responses=False,
        retry_on_timeout=False,
    )
    return Redis.from_pool(pool)


async def eviction_policy(redis: Redis) -> str | None:
    """Redis' `maxmemory-policy`, null when it does not tell. Anything but `noeviction` may lose the bundle.

    Raises one of `LINK_ERRORS`. Read from INFO: CONFIG is often forbidden.
    """
    memory = await redis.info("memory")
    policy = memory.get("maxmemory_policy")
    return str(policy) if policy is not None else None
