"""The hash that says how far each log is stored: one tagged value per log (`codec.persisted_value`), put by workers.

Everything raises one of `link.LINK_ERRORS`; `ResponseError` (WRONGTYPE) when something else stands in its place.
"""

from collections.abc import Sequence

import msgspec
from redis.asyncio import Redis

from qg_bundle import keys
from qg_bundle.access.codec import PERSISTED_BYTES_MAX
from qg_bundle.access.places import unlink_unless

# What is too long for a watermark is never sent: a mark that does not verify stands for it.
_FOUND = """
local function watermark(log)
  local length = redis.call('HSTRLEN', KEYS[1], log)
  if length > tonumber(ARGV[1]) then
    return 'too long'
  end
  return length > 0 and redis.call('HGET', KEYS[1], log) or ''
end
"""

_READ = (
    _FOUND
    + """
local found = {}
for i = 2, #ARGV do
  found[#found + 1] = watermark(ARGV[i])
end
return found
"""
)

# Triplets of log id, the value that was seen ('' for none) and the new one.
_REPLACE = (
    _FOUND
    + """
local left = {}
for i = 2, #ARGV, 3 do
  if watermark(ARGV[i]) == ARGV[i + 1] then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
  else
    left[#left + 1] = ARGV[i]
  end
end
return left
"""
)


class Replacement(msgspec.Struct, frozen=True):
    """A new watermark for a log, in the place of the one that was `seen` there (empty: none was)."""

    log_id: str
    seen: bytes
    value: bytes


async def read_watermarks(redis: Redis, log_ids: Sequence[str]) -> dict[str, bytes]:
    """What stands there for these logs, unverified; empty where nothing does."""
    return dict(zip(log_ids, await _run(redis, _READ, log_ids), strict=True))


async def replace_watermarks(redis: Redis, replacements: Sequence[Replacement]) -> set[str]:
    """Put these; the logs whose watermark is another one by now, and was left alone."""
    arguments = [part for each in replacements for part in (each.log_id, each.seen, each.value)]
    return {log_id.decode() for log_id in await _run(redis, _REPLACE, arguments)}


async def forget_watermarks(redis: Redis, log_ids: Sequence[str]) -> None:
    """Drop those of logs that are long silent."""
    if log_ids:
        pipe = redis.pipeline(transaction=False)
        pipe.hdel(keys.ACCESS_PERSISTED, *log_ids)
        await pipe.execute()


async def clear_unless_watermarks(redis: Redis) -> None:
    """Take away what somebody put in the hash's place: how far logs are stored stands in Postgres."""
    await unlink_unless(redis, keys.ACCESS_PERSISTED, "hash")


async def _run(redis: Redis, script: str, arguments: Sequence[str | bytes]) -> list[bytes]:
    found: list[bytes] = await redis.execute_command(  # type: ignore[no-untyped-call]  # redis-py: untyped
        "EVAL", script, 1, keys.ACCESS_PERSISTED, PERSISTED_BYTES_MAX, *arguments
    )
    return found
