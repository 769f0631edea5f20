"""The worker's side of the access stream: reads batches as one of a group, settles them, keeps the group in order.

Everything raises one of `link.LINK_ERRORS`. What comes back is unverified: `codec.decode_batch` verifies it.
"""

from collections.abc import Sequence

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from qg_bundle import keys
from qg_bundle.access.codec import BODY_BYTES_MAX, HEADER_BYTES_MAX, TAG_BYTES
from qg_bundle.access.places import unlink_unless
from qg_bundle.bounded_parser import ResponseTooLarge
from qg_bundle.link import narrow_link

RESPONSE_BYTES_MAX = 8_388_608
"""What one answer of the stream may bring (`open_link`): entries that nodes write are a twentieth of it."""

_ENTRY_BYTES_MAX = HEADER_BYTES_MAX + BODY_BYTES_MAX + TAG_BYTES + 4_096
"""One batch as Redis answers it: its parts, and some room for names and lengths."""

_PENDING_LOOKED_AT_MAX = 100

# In a script: a consumer that reads something just before it is deleted would lose it, since nobody else would ever
# see the entry as pending.
_FORGET_CONSUMERS = """
local found = redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
for _, consumer in ipairs(found) do
  local about = {}
  for i = 1, #consumer, 2 do about[consumer[i]] = consumer[i + 1] end
  if about['pending'] == 0 and (about['idle'] >= tonumber(ARGV[2]) or about['name'] == ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], about['name'])
  end
end
"""

# The id only: the entry itself may be a quarter of a megabyte.
_BACKLOG = """
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
return {redis.call('XLEN', KEYS[1]), first[1] and first[1][1] or '', redis.call('TIME')[1]}
"""


class StreamEntry(msgspec.Struct, frozen=True):
    """One entry of the stream. `fields` is empty for one that was trimmed while a consumer had it."""

    id: bytes
    fields: dict[bytes, bytes]


class Backlog(msgspec.Struct, frozen=True):
    """What is waiting: entries in the stream, and the age of the oldest one in seconds by Redis' clock."""

    entries: int = 0
    oldest_age_s: float = 0.0


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


async def oversized(redis: Redis, consumer: str) -> list[bytes]:
    """The ids of entries pending for `consumer` that are larger than any batch. To be asked after `ResponseTooLarge`.

    Pending: whoever was to be sent an entry has it, also when the answer was cut off. Each is read alone, and none
    further than a batch may reach.
    """
    pending = await redis.xpending_range(
        keys.ACCESS, keys.ACCESS_GROUP, min="-", max="+", count=_PENDING_LOOKED_AT_MAX, consumername=consumer
    )
    found = []
    narrow = narrow_link(redis, _ENTRY_BYTES_MAX)
    try:
        for entry in pending:
            try:
                await narrow.execute_command("XRANGE", keys.ACCESS, entry["message_id"], entry["message_id"])  # type: ignore[no-untyped-call]  # redis-py: untyped
            except ResponseTooLarge:
                found.append(entry["message_id"])
    finally:
        await narrow.aclose()
    return found


async def clear_unless_stream(redis: Redis) -> None:
    """Take away what somebody put in the stream's place. Nodes send again."""
    await unlink_unless(redis, keys.ACCESS, "stream")


async def forget_consumers(redis: Redis, *, idle_ms: int, also: str = "") -> None:
    """Forget consumers that have nothing pending and are silent for `idle_ms`; the one named `also` at once.

    Raises `ResponseError` when there is no group, or no stream.
    """
    await redis.execute_command(  # type: ignore[no-untyped-call]  # redis-py: untyped
        "EVAL", _FORGET_CONSUMERS, 1, keys.ACCESS, keys.ACCESS_GROUP, idle_ms, also
    )


async def backlog(redis: Redis) -> Backlog:
    """What is in the stream now."""
    entries, first, now_s = await redis.execute_command("EVAL", _BACKLOG, 1, keys.ACCESS)  # type: ignore[no-untyped-call]  # redis-py: untyped
    if not first:
        return Backlog()
    age_s = int(now_s) - int(first.partition(b"-")[0]) / 1_000
    return Backlog(entries=int(entries), oldest_age_s=max(age_s, 0.0))


async def settle(redis: Redis, ids: Sequence[bytes]) -> None:
    """Take stored or refused entries out of the group and out of the stream."""
    if not ids:
        return
    pipe = redis.pipeline(transaction=False)
    pipe.xack(keys.ACCESS, keys.ACCESS_GROUP, *ids)
    pipe.xdel(keys.ACCESS, *ids)
    await pipe.execute()


def _entries(found: Sequence[tuple[bytes, dict[bytes, bytes] | None]]) -> list[StreamEntry]:
    return [StreamEntry(entry_id, fields or {}) for entry_id, fields in found]
