"""The one observer of a process: every event goes to the log and to the metrics, finished work to the traces."""

from collections.abc import Sequence
from importlib.metadata import version

from qg_core.environment import SettingsInvalid
from qg_telemetry.events import Event, Level, RequestServed
from qg_telemetry.library_logs import take_over_logging
from qg_telemetry.log import Log
from qg_telemetry.metrics import Metrics
from qg_telemetry.sink import LineSink
from qg_telemetry.traces import Traces, TracesUnavailable, otlp_traces

OTLP = "otlp"
"""The word of `TRACES` for a collector; otherwise there are no traces."""


class Observer:
    """An `Observe`: call it with an event, from any thread; data requests go to `requests`. Never raises or waits.

    `traces` is None where nobody asked for them.
    """

    def __init__(self, log: Log, metrics: Metrics, traces: Traces | None = None) -> None:
        self.log = log
        self.metrics = metrics
        self.traces = traces
        metrics.bind("qg_log_lines_dropped_total", lambda: log.lines_dropped)

    def __call__(self, event: Event) -> None:
        self.log.write(event)
        self.metrics.observe(event)

    def requests(self, served: Sequence[RequestServed]) -> None:
        """The same for data requests, at least one, in the order in which they ended; in the event loop's thread."""
        self.log.write_all(served)
        self.metrics.observe_requests(served)

    def close(self) -> None:
        """Send what the traces still hold, within seconds; the log is the sink's to close."""
        if self.traces is not None:
            self.traces.close()


def make_observer(service: str, level_name: str, traces: str, sink: LineSink) -> Observer:
    """The observer of one service at `LOG_LEVEL`; from now on libraries log through it too.

    Raises `SettingsInvalid` when `TRACES` asks for what is not installed.
    """
    log = Log(service, Level[level_name.upper()], sink)
    take_over_logging(log)
    try:
        return Observer(log, Metrics(), otlp_traces(service, version("querygateway")) if traces == OTLP else None)
    except TracesUnavailable as error:
        raise SettingsInvalid([f"TRACES: {error}"]) from None
