"""Long work on the event loop, cut into slices: requests go on being served in between."""

import asyncio
import time

SLICE_S = 0.003
"""Well under the 10 ms that a request may be held up: a single step, and the collector, may add to a slice."""


class Slices:
    """`if slices.due: await slices.rest()` between steps. Remembers the most CPU of a slice, in seconds."""

    def __init__(self, slice_s: float = SLICE_S) -> None:
        self._slice_s = slice_s
        self._began = time.perf_counter()
        self._began_cpu = time.thread_time()
        self.longest_s = 0.0
        self.rests = 0

    @property
    def due(self) -> bool:
        """Whether this slice has lasted long enough."""
        return time.perf_counter() - self._began >= self._slice_s

    async def rest(self) -> None:
        """Let everything else that is ready run once."""
        self.longest_s = max(self.longest_s, time.thread_time() - self._began_cpu)
        self.rests += 1
        await asyncio.sleep(0)
        self._began = time.perf_counter()
        self._began_cpu = time.thread_time()
