"""What of the access log is tagged in Redis: watermarks and batches, for whoever rotates the key of their tags.

Everything raises one of `link.LINK_ERRORS`.
"""

from collections.abc import AsyncIterator

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from qg_bundle import keys
from qg_bundle.access.codec import PERSISTED_BYTES_MAX
from qg_core.access_events import LOG_ID

BATCHES_MAX = 10_000
"""So many entries of the stream are looked at, from the oldest on."""

_LOGS_PER_READ = 500
_BATCHES_PER_READ = 10


async def all_persisted(redis: Redis) -> dict[str, bytes]:
    """Log id -> watermark, unverified; what can't be one is left out."""
    found: dict[str, bytes] = {}
    try:
        async for field, value in redis.hscan_iter(keys.ACCESS_PERSISTED, count=_LOGS_PER_READ):
            log_id = field.decode("ascii", "replace")
            if LOG_ID.fullmatch(log_id) and len(value) <= PERSISTED_BYTES_MAX:
                found[log_id] = value
    except ResponseError as error:
        # Something else than a hash: workers put that right.
        if "WRONGTYPE" not in str(error):
            raise
    return found


async def waiting_batches(redis: Redis) -> AsyncIterator[dict[bytes, bytes]]:
    """The fields of what is in the stream, unverified, oldest first, at most `BATCHES_MAX`; nothing is taken."""
    after = "-"
    for _ in range(BATCHES_MAX // _BATCHES_PER_READ):
        try:
            found = await redis.xrange(keys.ACCESS, min=after, max="+", count=_BATCHES_PER_READ)
        except ResponseError as error:
            # Something else than a stream: workers put that right.
            if "WRONGTYPE" not in str(error):
                raise
            return
        for _, fields in found:
            yield fields or {}
        if len(found) < _BATCHES_PER_READ:
            return
        after = "(" + found[-1][0].decode("ascii")
