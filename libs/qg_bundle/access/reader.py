"""The worker's side of the access stream: reads batches as one of a group, settles them, says how far logs are stored.

Everything raises one of `link.LINK_ERRORS`. What comes back is unverified: `codec.decode_batch` verifies it.
"""

from collections.abc import Mapping, Sequence

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from qg_bundle import keys
from qg_bundle.access.codec import BODY_BYTES_MAX, HEADER_BYTES_MAX, TAG_BYTES, persisted_value
from qg_core.signatures import Tagger

RESPONSE_BYTES_MAX = 8_388_608
"""What one answer of the stream may bring (`open_link`): entries that nodes write are a twentieth of it."""

_FIELDS_MAX = 16
_PENDING_LOOKED_AT_MAX = 1_000

# Pending: whoever was to be sent an entry has it, also when the answer was cut off.
_DROP_OVERSIZED = """
local dropped = 0
for _, found in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[2])) do
  local entry = redis.call('XRANGE', KEYS[1], found[1], found[1])[1]
  local size = 0
  for _, text in ipairs(entry and entry[2] or {}) do size = size + #text end
  if size > tonumber(ARGV[3]) or #(entry and entry[2] or {}) > tonumber(ARGV[4]) then
    redis.call('XACK', KEYS[1], ARGV[1], found[1])
    redis.call('XDEL', KEYS[1], found[1])
    dropped = dropped + 1
  end
end
return dropped
"""

# One step: what has become right meanwhile stays.
_UNLINK_UNLESS = """
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind ~= ARGV[1] and kind ~= 'none' then
  return redis.call('UNLINK', KEYS[1])
end
return 0
"""


class StreamEntry(msgspec.Struct, frozen=True):
    """One entry of the stream. `fields` is empty for one that was trimmed while a consumer had it."""

    id: bytes
    fields: dict[bytes, bytes]


async def make_group(redis: Redis) -> None:
    """Make the stream and the group if need be; it begins with the oldest entry there is."""
    try:
        await redis.xgroup_create(keys.ACCESS, keys.ACCESS_GROUP, id="0", mkstream=True)
    except ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise


async def read_new(redis: Redis, consumer: str, *, entries_max: int, block_ms: int) -> list[StreamEntry]:
    """Entries that no consumer has had; waits for the first at most `block_ms`.

    `block_ms` must be well below the client's socket timeout. Raises `ResponseError` (NOGROUP) after Redis was emptied.
    """
    found = await redis.xreadgroup(keys.ACCESS_GROUP, consumer, {keys.ACCESS: ">"}, count=entries_max, block=block_ms)
    return _entries(found[0][1]) if found else []


async def take_over(redis: Redis, consumer: str, *, idle_ms: int, entries_max: int) -> list[StreamEntry]:
    """Entries that a consumer was given and has not settled for `idle_ms`: it is gone, or this one was restarted."""
    found = await redis.xautoclaim(
        keys.ACCESS, keys.ACCESS_GROUP, consumer, min_idle_time=idle_ms, start_id="0-0", count=entries_max
    )
    return _entries(found[1])


async def drop_oversized(redis: Redis) -> int:
    """Take pending entries out of the stream that are larger than any batch; how many. After `ResponseTooLarge`."""
    size_max = HEADER_BYTES_MAX + BODY_BYTES_MAX + TAG_BYTES + _FIELDS_MAX
    dropped = await redis.execute_command(  # type: ignore[no-untyped-call]  # redis-py: untyped
        "EVAL", _DROP_OVERSIZED, 1, keys.ACCESS, keys.ACCESS_GROUP, _PENDING_LOOKED_AT_MAX, size_max, _FIELDS_MAX
    )
    return int(dropped)


async def clear_unless_stream(redis: Redis) -> bool:
    """Take away what somebody put in the stream's place; whether there was something. Nodes send again."""
    return await _unlink_unless(redis, keys.ACCESS, "stream")


async def clear_unless_hash(redis: Redis) -> bool:
    """The same in the place of the watermarks, which stand in Postgres."""
    return await _unlink_unless(redis, keys.ACCESS_PERSISTED, "hash")


async def _unlink_unless(redis: Redis, key: str, kind: str) -> bool:
    removed = await redis.execute_command("EVAL", _UNLINK_UNLESS, 1, key, kind)  # type: ignore[no-untyped-call]  # redis-py: untyped
    return bool(removed)


async def settle(redis: Redis, ids: Sequence[bytes]) -> None:
    """Take stored or refused entries out of the group and out of the stream."""
    if not ids:
        return
    pipe = redis.pipeline(transaction=False)
    pipe.xack(keys.ACCESS, keys.ACCESS_GROUP, *ids)
    pipe.xdel(keys.ACCESS, *ids)
    await pipe.execute()


async def put_persisted(redis: Redis, tags: Tagger, persisted: Mapping[str, int]) -> None:
    """Say how far each of these logs is stored (log id -> sequence)."""
    if persisted:
        values = {log_id: persisted_value(tags, log_id, sequence) for log_id, sequence in persisted.items()}
        pipe = redis.pipeline(transaction=False)
        pipe.hset(keys.ACCESS_PERSISTED, mapping=values)
        await pipe.execute()


async def forget_persisted(redis: Redis, log_ids: Sequence[str]) -> None:
    """Drop the watermarks of logs that are long silent."""
    if log_ids:
        pipe = redis.pipeline(transaction=False)
        pipe.hdel(keys.ACCESS_PERSISTED, *log_ids)
        await pipe.execute()


def _entries(found: Sequence[tuple[bytes, dict[bytes, bytes] | None]]) -> list[StreamEntry]:
    return [StreamEntry(entry_id, fields or {}) for entry_id, fields in found]
