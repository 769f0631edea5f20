"""Long work on the event loop, cut into slices: requests go on being served in between."""

import asyncio
import contextlib
import gc
import time
from collections.abc import Iterator

SLICE_S = 0.003
"""Well under the 10 ms that a request may be held up: a single step, and the collector, may add to a slice."""

QUIET_FROM = 500
"""Subjects that change at once."""


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


@contextlib.contextmanager
def collector_quiet(changes: int) -> Iterator[None]:
    """Keep the cyclic garbage collector away while very many objects are made that stay.

    It would walk all of them again and again, 100 ms at a time with 10,000 endpoints, in the middle of requests.
    Afterwards they are set aside (`gc.freeze`): they hold no cycles, and their count of references frees them. Small
    builds (less than `QUIET_FROM` changes) are left to the collector.
    """
    if changes < QUIET_FROM or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
