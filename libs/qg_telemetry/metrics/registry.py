"""The registry of one process: what is counted per event, and how it is shown."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from qg_telemetry.events import Event, RequestServed
from qg_telemetry.metrics.bounded import BoundedLabels
from qg_telemetry.metrics.requests import RequestMetrics
from qg_telemetry.metrics.states import STATES, Reader, StateMetrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REASON_LABELS_MAX = 200


class Metrics:
    """Counts events and reads states. Labels are bounded: what exceeds a bound is counted under `other`."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._requests = RequestMetrics()
        self._events = _EventMetrics()
        self._states = StateMetrics(STATES)
        for collector in (self._requests, self._events, self._states):
            self._registry.register(collector)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def observe(self, event: Event) -> None:
        """Count one event, of any thread; data requests go to `observe_requests`."""
        self._events.observe(event)

    def observe_requests(self, served: Iterable[RequestServed]) -> None:
        """Count data requests; in the event loop's thread."""
        self._requests.observe(served)

    def bind(self, name: str, read: Reader) -> None:
        """Show the state `name` (one of `STATES`) from `read`, which is called in the event loop at every scrape.

        Raises `KeyError` when there is no such state.
        """
        self._states.bind(name, read)

    def read_states(self) -> None:
        """Ask every reader for its value now; call it in the event loop before `render`."""
        self._states.read()

    def render(self) -> bytes:
        """The registry as Prometheus text; may run in another thread."""
        return generate_latest(self._registry)


class _EventMetrics(Collector):
    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        self._reasons = BoundedLabels(REASON_LABELS_MAX)

    def observe(self, event: Event) -> None:
        kind = type(event)
        reason = self._reasons.label(str(getattr(event, kind.counted_by))) if kind.counted_by is not None else ""
        # Two threads may lose a count here once in a blue moon; a lock per event is not worth that.
        self._counts[kind.event, reason] = self._counts.get((kind.event, reason), 0) + 1

    def describe(self) -> list[Metric]:
        return [_event_family()]

    def collect(self) -> list[Metric]:
        family = _event_family()
        for labels, count in sorted(self._counts.copy().items()):
            family.add_metric(labels, count)
        return [family]


def _event_family() -> CounterMetricFamily:
    return CounterMetricFamily(
        "qg_events",
        "Events but data requests, by name and (where the event has one) reason.",
        labels=["event", "reason"],
    )
