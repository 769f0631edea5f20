"""Requests that wait until a revision is served (`X-QG-Min-Revision`): bounded in time, number and distance."""

import asyncio

from qg_core.errors import RevisionNotReached

WAIT_MAX_S = 2.0
WAITERS_MAX = 256
DISTANCE_MAX = 1_000


class Waiters:
    """Futures by revision; resolved by `reached`."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], int] = {}

    async def wait_for(self, revision: int, newest_known: int) -> None:
        """Return once `revision` is served. Raises `RevisionNotReached` after 2 s.

        Raises it at once when too many wait or `revision` is more than 1,000 above `newest_known`.
        """
        if revision > newest_known + DISTANCE_MAX:
            raise RevisionNotReached("That revision is too far ahead of this node.")
        if len(self._waiting) >= WAITERS_MAX:
            raise RevisionNotReached("Too many requests wait for a revision.", retry_after_s=1)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = revision
        try:
            async with asyncio.timeout(WAIT_MAX_S):
                await future
        except TimeoutError:
            raise RevisionNotReached(retry_after_s=1) from None
        finally:
            del self._waiting[future]

    def reached(self, revision: int) -> None:
        """`revision` is served now."""
        for future, wanted in self._waiting.items():
            if wanted <= revision and not future.done():
                future.set_result(None)
