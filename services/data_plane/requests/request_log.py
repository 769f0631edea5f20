"""Requests that are over: what the log says of each is made at once, and said a few milliseconds later, many at a time.

Made at once, so that nothing of a request outlives it: memory that the next one takes over is still in the processor's
caches. Said together, and its access event made then: encoding and writing one line alone costs twice as much. Events
wait for at most `DELAY_S`; a killed process loses no more than the log's own buffer does.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from data_plane.access_log.recorder import Recorder
from data_plane.requests.access_events import End, access_events
from data_plane.requests.request_traces import RequestTraces
from data_plane.requests.visit import Visit
from qg_telemetry.events import RequestServed

DELAY_S = 0.025
WAITING_MAX = 256


class RequestLog:
    """Call `add` in the event loop; `flush` before the process ends. `tell` takes what was served, in order."""

    def __init__(
        self,
        tell: Callable[[Sequence[RequestServed]], None],
        recorder: Recorder | None = None,
        traces: RequestTraces | None = None,
    ) -> None:
        self._tell = tell
        self._recorder = recorder
        self._traces = traces
        self._served: list[RequestServed] = []
        self._ends: list[End] = []
        self._over = 0
        self._wall_clock_ahead_s = 0.0
        self.begin: Callable[[], None] = _nothing if recorder is None else recorder.begin
        """A request has arrived; `add` must follow."""

    def add(self, visit: Visit) -> None:
        """Take a request that is over (`visit.ended` is set)."""
        if not self._over:
            self._wall_clock_ahead_s = time.time() - time.monotonic()
            asyncio.get_running_loop().call_later(DELAY_S, self.flush)
        self._over += 1  # before anything below can fail: what is over gets a number, with an event or without
        served = visit.served()
        if self._traces is not None:
            served = _traced(self._traces, visit, served, self._wall_clock_ahead_s)
        self._served.append(served)
        if self._recorder is not None:
            principal = visit.principal
            self._ends.append((visit.ended, None if principal is None else principal.credential_id))
        if self._over >= WAITING_MAX:
            self.flush()

    def flush(self) -> None:
        """Say what has happened so far."""
        served, self._served = self._served, []
        ends, self._ends = self._ends, []
        over, self._over = self._over, 0
        if self._recorder is not None and over:
            first = self._recorder.end(over)
            if served:
                self._recorder.record(access_events(served, ends, first, self._wall_clock_ahead_s))
        if served:
            self._tell(served)


def _nothing() -> None:
    """Without an access log requests are not counted."""


def _traced(traces: RequestTraces, visit: Visit, served: RequestServed, wall_clock_ahead_s: float) -> RequestServed:
    trace_id = traces.record(visit, served, wall_clock_ahead_s)
    return served if trace_id is None else replace(served, trace_id=trace_id)
