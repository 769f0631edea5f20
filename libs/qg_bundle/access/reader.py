"""The worker's side of the access stream: reads batches as one of a group, settles them, says how far logs are stored.

Everything raises one of `link.LINK_ERRORS`. What comes back is unverified: `codec.decode_batch` verifies it.
"""

from collections.abc import Mapping, Sequence

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from qg_bundle import keys
from qg_bundle.access.codec import persisted_value
from qg_core.signatures import Tagger


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
