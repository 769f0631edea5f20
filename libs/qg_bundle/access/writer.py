"""The data plane's side of the access stream: appends batches, reads how far its log is stored."""

from collections.abc import Mapping, Sequence

from redis.asyncio import Redis
from redis.exceptions import RedisError

from qg_bundle import keys
from qg_bundle.access.codec import PERSISTED_BYTES_MAX

ENTRIES_MAX = 20_000
"""About how many entries the stream keeps, whether or not somebody reads them: it must not starve the bundle."""

# Refused inside Redis: a value that is too long is never sent. A key of another type has no fields.
_SHORT_FIELD = """
local length = redis.pcall('HSTRLEN', KEYS[1], ARGV[1])
if type(length) ~= 'number' or length == 0 or length > tonumber(ARGV[2]) then
  return false
end
return redis.call('HGET', KEYS[1], ARGV[1])
"""

# Counted inside Redis: the entry itself is not sent back.
_PRESENT = """
local found = redis.pcall('XRANGE', KEYS[1], ARGV[1], ARGV[1])
return found['err'] and 0 or #found
"""


async def append_batches(redis: Redis, batches: Sequence[Mapping[bytes, bytes]]) -> list[bytes | RedisError]:
    """Append entries (`codec.encode_batch`) in one round trip: the id of each, or what Redis refused it with.

    Raises one of `link.LINK_ERRORS`; some may be in the stream then, but what is sent twice is stored once.
    """
    pipeline = redis.pipeline(transaction=False)
    for fields in batches:
        pipeline.execute_command(
            "XADD", keys.ACCESS, "MAXLEN", "~", ENTRIES_MAX, "*", *(part for field in fields.items() for part in field)
        )
    answers = await pipeline.execute(raise_on_error=False)
    return [
        answer
        if isinstance(answer, bytes | RedisError)
        else RedisError("Redis answered something else than the id of an entry")
        for answer in answers
    ]


async def is_in_stream(redis: Redis, entry_id: bytes) -> bool:
    """Whether an entry is still in the stream. Raises one of `link.LINK_ERRORS`."""
    found = await redis.execute_command(  # type: ignore[no-untyped-call]  # redis-py: untyped
        "EVAL_RO", _PRESENT, 1, keys.ACCESS, entry_id
    )
    return bool(found)


async def persisted_of(redis: Redis, log_id: str) -> bytes | None:
    """The watermark of a log as it stands in Redis, unverified (`codec.read_persisted`); null when there is none.

    Raises one of `link.LINK_ERRORS`.
    """
    found = await redis.execute_command(  # type: ignore[no-untyped-call]  # redis-py: untyped
        "EVAL_RO", _SHORT_FIELD, 1, keys.ACCESS_PERSISTED, log_id, PERSISTED_BYTES_MAX
    )
    if found is not None and not isinstance(found, bytes):
        raise RedisError("Redis answered something else than a watermark")
    return found
