"""Requests that are over, turned into their events a few milliseconds later and many at a time.

Making, redacting and writing one request line costs 8 us when the code and its tables are in the processor's caches
and three times that when something else ran in between. So finished requests wait for at most `DELAY_S`; a killed
process loses no more than the log's own buffer does.
"""

import asyncio
import time

from msgspec.structs import replace

from data_plane.access_log.recorder import Recorder
from data_plane.requests.request_traces import RequestTraces
from data_plane.requests.visit import Visit
from qg_telemetry.events import Observe, RequestServed

DELAY_S = 0.025
WAITING_MAX = 256


class RequestLog:
    """Call `add` in the event loop; `flush` before the process ends."""

    def __init__(self, observe: Observe, recorder: Recorder | None = None, traces: RequestTraces | None = None) -> None:
        self._observe = observe
        self._recorder = recorder
        self._traces = traces
        self._waiting: list[Visit] = []

    def begin(self) -> None:
        """A request has arrived; `add` must follow."""
        if self._recorder is not None:
            self._recorder.begin()

    def add(self, visit: Visit) -> None:
        """Take a request that is over (`visit.ended` is set)."""
        if self._recorder is not None:
            visit.sequence = self._recorder.end()
        waiting = self._waiting
        waiting.append(visit)
        if len(waiting) == 1:
            asyncio.get_running_loop().call_later(DELAY_S, self.flush)
        elif len(waiting) >= WAITING_MAX:
            self.flush()

    def flush(self) -> None:
        """Say what has happened so far."""
        waiting, self._waiting = self._waiting, []
        wall_clock_ahead_s = time.time() - time.monotonic()
        recorder = self._recorder
        recorded = []
        for visit in waiting:
            served = visit.served()
            if self._traces is not None:
                served = _traced(self._traces, visit, served, wall_clock_ahead_s)
            self._observe(served)
            if recorder is not None:
                recorded.append(visit.recorded(served, wall_clock_ahead_s))
        if recorder is not None and recorded:
            recorder.record(recorded)


def _traced(traces: RequestTraces, visit: Visit, served: RequestServed, wall_clock_ahead_s: float) -> RequestServed:
    trace_id = traces.record(visit, served, wall_clock_ahead_s)
    return served if trace_id is None else replace(served, trace_id=trace_id)
