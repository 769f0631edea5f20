"""Requests that wait until a revision is served (`X-QG-Min-Revision`): bounded in time, number and distance."""

import asyncio
from collections import Counter

from qg_core.errors import RevisionNotReached

WAIT_MAX_S = 2.0
WAITERS_MAX = 256
WAITERS_PER_NETWORK_MAX = 64
"""Waiting takes no credential: one address must not keep everybody else from it."""

DISTANCE_MAX = 1_000


class Waiters:
    """Futures by revision; resolved by `reached`."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._by_network: Counter[str] = Counter()

    async def wait_for(self, revision: int, newest_known: int, network: str = "") -> None:
        """Return once `revision` is served. Raises `RevisionNotReached` after 2 s.

        Raises it at once when too many wait, in all or from `network`, or when `revision` is more than 1,000 above
        `newest_known`.
        """
        if revision > newest_known + DISTANCE_MAX:
            raise RevisionNotReached("That revision is too far ahead of this node.")
        if len(self._waiting) >= WAITERS_MAX or self._by_network[network] >= WAITERS_PER_NETWORK_MAX:
            raise RevisionNotReached("Too many requests wait for a revision.", retry_after_s=1)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = revision
        self._by_network[network] += 1
        try:
            async with asyncio.timeout(WAIT_MAX_S):
                await future
        except TimeoutError:
            raise RevisionNotReached(retry_after_s=1) from None
        finally:
            del self._waiting[future]
            self._by_network[network] -= 1
            self._by_network += Counter()  # drops those at zero

    def reached(self, revision: int) -> None:
        """`revision` is served now."""
        for future, wanted in self._waiting.items():
            if wanted <= revision and not future.done():
                future.set_result(None)
