"""Takes access events out of the stream as workers do, so that a measured node goes on sending.

It keeps nothing: how far a log has come is all that a node wants to hear.
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from redis.exceptions import RedisError

from qg_bundle import keys
from qg_bundle.access import reader
from qg_bundle.access.codec import decode_batch, persisted_value
from qg_bundle.link import open_link
from qg_security.tags import ACCESS_BATCH_CONTEXT, ACCESS_PERSISTED_CONTEXT, TagKeys

EVERY_S = 0.5
ENTRIES_MAX = 1_000


@contextlib.contextmanager
def storing(redis_url: str, seal_key: str) -> Iterator[None]:
    """Take what comes until the block ends."""
    stopping = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_take(redis_url, seal_key, stopping)), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(10)


async def _take(redis_url: str, seal_key: str, stopping: threading.Event) -> None:
    batch_tags = TagKeys([seal_key], ACCESS_BATCH_CONTEXT)
    persisted_tags = TagKeys([seal_key], ACCESS_PERSISTED_CONTEXT)
    redis = open_link(redis_url)
    persisted: dict[str, int] = {}
    try:
        await reader.make_group(redis)
        while not stopping.is_set():
            entries = await reader.read_new(redis, "bench", entries_max=ENTRIES_MAX, block_ms=10)
            for entry in entries:
                header = decode_batch(batch_tags, entry.fields).header
                persisted[header.log_id] = max(header.last, persisted.get(header.log_id, 0))
            await reader.settle(redis, [entry.id for entry in entries])
            if persisted:
                marks = {
                    log_id: persisted_value(persisted_tags, log_id, number) for log_id, number in persisted.items()
                }
                await redis.hset(keys.ACCESS_PERSISTED, mapping=marks)  # type: ignore[misc]  # redis-py: sync or async
            await asyncio.sleep(EVERY_S)
    except RedisError:
        if not stopping.is_set():
            raise
    finally:
        await redis.aclose()
