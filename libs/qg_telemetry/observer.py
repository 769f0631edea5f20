"""The one observer of a process: every event goes to the log and to the metrics."""

from qg_telemetry.events import Event, Level
from qg_telemetry.library_logs import take_over_logging
from qg_telemetry.log import Log
from qg_telemetry.metrics import Metrics
from qg_telemetry.sink import LineSink


class Observer:
    """An `Observe`: call it with an event. Never raises and never waits; usable from any thread."""

    def __init__(self, log: Log, metrics: Metrics) -> None:
        self.log = log
        self.metrics = metrics
        metrics.bind("qg_log_lines_dropped_total", lambda: log.lines_dropped)

    def __call__(self, event: Event) -> None:
        self.log.write(event)
        self.metrics.observe(event)


def make_observer(service: str, level_name: str, sink: LineSink) -> Observer:
    """The observer of one service at `LOG_LEVEL`; from now on libraries log through it too."""
    log = Log(service, Level[level_name.upper()], sink)
    take_over_logging(log)
    return Observer(log, Metrics())
