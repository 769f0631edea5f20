"""The places in Redis that the access log needs, taken back from whatever else somebody put there."""

from redis.asyncio import Redis

# One step: what has become right meanwhile stays.
_UNLINK_UNLESS = """
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind ~= ARGV[1] and kind ~= 'none' then
  redis.call('UNLINK', KEYS[1])
end
"""


async def unlink_unless(redis: Redis, key: str, kind: str) -> None:
    """Remove `key` unless it is of this type. Raises one of `link.LINK_ERRORS`."""
    await redis.execute_command("EVAL", _UNLINK_UNLESS, 1, key, kind)  # type: ignore[no-untyped-call]  # redis-py: untyped
