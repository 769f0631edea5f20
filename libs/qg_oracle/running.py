"""The running calls of a pool, and one timer for all of their deadlines.

A timer of its own for every call costs 3 us, and nearly every call ends long before it. So one timer looks at all of
them every `LOOK_EVERY_S`, and only while there are any: a deadline may be that much late.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import Protocol

LOOK_EVERY_S = 0.02

TIMED_OUT = "deadline"


class Stoppable(Protocol):
    """A running call, as the pool sees it. `expires_at` is on `time.monotonic()`'s clock, in seconds."""

    @property
    def expires_at(self) -> float: ...

    def stop(self, reason: str) -> None: ...


class RunningCalls:
    """Used on one event loop."""

    __slots__ = ("_calls", "_looking")

    def __init__(self) -> None:
        self._calls: set[Stoppable] = set()
        self._looking = False

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Stoppable]:
        return iter(tuple(self._calls))

    def add(self, call: Stoppable) -> None:
        """From now on `call.stop(TIMED_OUT)` is called once its time is over, again and again until it is discarded."""
        self._calls.add(call)
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)

    def discard(self, call: Stoppable) -> None:
        self._calls.discard(call)

    def _look(self) -> None:
        now = time.monotonic()
        for call in self:
            if call.expires_at <= now:
                call.stop(TIMED_OUT)
        self._looking = bool(self._calls)
        if self._looking:
            asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)
