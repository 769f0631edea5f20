"""One consumer of the stream of access batches, and what keeps the stream's group in order.

An entry that was read and not settled stays pending under the name of its consumer; after `idle_max_s` without a sign
of life any other consumer takes it over. So a worker may die at any point.
"""

import secrets

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from qg_bundle.access import reader
from qg_bundle.access.reader import Backlog, StreamEntry

CONSUMER_IDLE_MAX_S = 60.0
"""How long a consumer without pending entries is silent before it is forgotten."""

ENTRIES_MAX = 10
"""Entries taken at once: with 500 events each, the most that a worker holds in memory."""

BLOCK_MS = 1_000
"""Less than what a connection waits for any answer."""

CONSUMER_NAME_LENGTH_MAX = 100

_WRONG_TYPE = "WRONGTYPE"
"""How Redis says that something else stands where the stream belongs."""

_GONE = ("NOGROUP", "UNBLOCKED")
"""How Redis says that the stream or its group vanished: after a flush, also in the middle of a wait."""


class EntryStream:
    """Every method raises one of `link.LINK_ERRORS`."""

    def __init__(self, redis: Redis, worker: str, *, idle_max_s: float) -> None:
        self._redis = redis
        # Never the name of an earlier process: its pending entries are taken over like anybody else's.
        self.consumer = f"{worker[:CONSUMER_NAME_LENGTH_MAX]}-{secrets.token_hex(4)}"
        self._idle_max_ms = int(idle_max_s * 1_000)

    async def take_new(self) -> list[StreamEntry]:
        """The next entries that nobody has taken yet, at most `ENTRIES_MAX`; waits up to `BLOCK_MS` for one."""
        try:
            return await reader.read_new(self._redis, self.consumer, entries_max=ENTRIES_MAX, block_ms=BLOCK_MS)
        except ResponseError as error:
            await self._make_group_after(error)
            return []

    async def take_over(self) -> list[StreamEntry]:
        """Entries that were pending for too long, at most `ENTRIES_MAX`; call again until there are none."""
        try:
            found = await reader.take_over(
                self._redis, self.consumer, idle_ms=self._idle_max_ms, entries_max=ENTRIES_MAX
            )
        except ResponseError as error:
            await self._make_group_after(error)
            return []
        # Redis before 7 shows entries that were trimmed without their id.
        return [entry for entry in found if entry.id]

    async def settle(self, entries: list[StreamEntry]) -> None:
        """These entries are stored: take them out of the stream."""
        await self._take_out([entry.id for entry in entries])

    async def drop_oversized(self) -> int:
        """After `ResponseTooLarge`: take out what is larger than any batch; how many entries that were."""
        try:
            found = await reader.oversized(self._redis, self.consumer)
        except ResponseError as error:
            await self._make_group_after(error)
            return 0
        await self._take_out(found)
        return len(found)

    async def forget_consumers(self, *, also_this: bool = False) -> None:
        """Forget consumers that are silent and have nothing pending; `also_this` one when it has nothing pending."""
        idle_ms = int(CONSUMER_IDLE_MAX_S * 1_000)
        try:
            await reader.forget_consumers(self._redis, idle_ms=idle_ms, also=self.consumer if also_this else "")
        except ResponseError as error:
            await self._make_group_after(error)

    async def backlog(self) -> Backlog:
        """What is in the stream now."""
        return await reader.backlog(self._redis)

    async def _take_out(self, ids: list[bytes]) -> None:
        try:
            await reader.settle(self._redis, ids)
        except ResponseError as error:
            # The stream is gone, and they with it.
            await self._make_group_after(error)

    async def _make_group_after(self, error: ResponseError) -> None:
        """The group begins with the first entry: what nodes sent while there was none is as good as the rest."""
        if _WRONG_TYPE in str(error):
            await reader.clear_unless_stream(self._redis)
            await reader.make_group(self._redis)
            return
        # A script's error has the script's name around the code.
        if not any(word in str(error) for word in _GONE) and "no such key" not in str(error):
            raise error
        await reader.make_group(self._redis)
