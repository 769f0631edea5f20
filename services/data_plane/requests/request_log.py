"""Requests that are over, turned into their events a few milliseconds later and many at a time.

Making, redacting and writing one request line costs 8 us when the code and its tables are in the processor's caches
and three times that when something else ran in between. So finished requests wait for at most `DELAY_S`; a killed
process loses no more than the log's own buffer does.
"""

import asyncio

from data_plane.requests.visit import Visit
from qg_telemetry.events import Observe

DELAY_S = 0.025
WAITING_MAX = 256


class RequestLog:
    """Call `add` in the event loop; `flush` before the process ends."""

    def __init__(self, observe: Observe) -> None:
        self._observe = observe
        self._waiting: list[Visit] = []

    def add(self, visit: Visit) -> None:
        """Take a request that is over (`visit.ended` is set)."""
        waiting = self._waiting
        waiting.append(visit)
        if len(waiting) == 1:
            asyncio.get_running_loop().call_later(DELAY_S, self.flush)
        elif len(waiting) >= WAITING_MAX:
            self.flush()

    def flush(self) -> None:
        """Say what has happened so far."""
        waiting, self._waiting = self._waiting, []
        for visit in waiting:
            self._observe(visit.served())
