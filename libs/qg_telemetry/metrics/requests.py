"""Counts of data requests, kept in plain cells and turned into metric families when somebody asks.

This is the hot path's share of the metrics: a prometheus-client child takes a lock per increment, and six of them cost
more than the rest of an event. Requests end in the event loop's thread only, so the cells need no lock.
"""

from bisect import bisect_left
from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from qg_telemetry.events import RequestServed
from qg_telemetry.metrics.bounded import OTHER, BoundedLabels

DURATION_BUCKETS_MS = (1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1e3, 2.5e3, 5e3, 10e3, 30e3, 60e3)
ENDPOINT_LABELS_MAX = 1_000
ERROR_CODE_LABELS_MAX = 100
SERIES_KNOWN_MAX = 20_000

_BUCKET_NAMES = (*(f"{bound / 1e3:g}" for bound in DURATION_BUCKETS_MS), "+Inf")
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"})
_OUTCOMES = frozenset({"ok", "refused", "failed", "aborted"})


class _Cell:
    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class _Durations:
    __slots__ = ("buckets", "sum_ms")

    def __init__(self) -> None:
        self.buckets = [0] * (len(DURATION_BUCKETS_MS) + 1)
        self.sum_ms = 0.0


_Series = tuple[_Cell, _Durations, _Cell]


class RequestMetrics(Collector):
    """Counts `RequestServed` events; call `observe` from one thread only."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str, str], _Cell] = {}
        self._durations: dict[str, _Durations] = {}
        self._endpoints: dict[tuple[str, str], _Cell] = {}
        self._unmatched = _Cell()
        self._rows = 0
        self._bytes = 0
        self._endpoint_labels = BoundedLabels(ENDPOINT_LABELS_MAX)
        self._code_labels = BoundedLabels(ERROR_CODE_LABELS_MAX)
        self._series: dict[tuple[str | None, int, str, str | None, str], _Series] = {}

    def observe(self, served: Iterable[RequestServed]) -> None:
        """Count requests."""
        known, rows, sent = self._series, 0, 0
        for event in served:
            # Never the caller's own method in the key: it may be any token of kilobytes, and keys are kept.
            method = event.method if event.method in _METHODS else OTHER
            key = (event.endpoint, event.status, method, event.error_code, event.outcome)
            series = known.get(key)
            if series is None:
                series = self._series_of(event, method)
                if len(known) < SERIES_KNOWN_MAX:
                    known[key] = series
            requests, durations, endpoint_requests = series
            requests.count += 1
            endpoint_requests.count += 1
            duration_ms = event.duration_ms
            durations.sum_ms += duration_ms
            durations.buckets[bisect_left(DURATION_BUCKETS_MS, duration_ms)] += 1
            rows += event.row_count or 0
            sent += event.bytes
        self._rows += rows
        self._bytes += sent

    def describe(self) -> list[Metric]:
        return list(_families())

    def collect(self) -> list[Metric]:
        requests, durations, endpoints, rows, sent = _families()
        for request_labels, cell in sorted(self._requests.copy().items()):
            requests.add_metric(request_labels, cell.count)
        for outcome, found in sorted(self._durations.copy().items()):
            durations.add_metric([outcome], _cumulative(found.buckets), found.sum_ms / 1e3)
        for labels, cell in sorted(self._endpoints.copy().items()):
            endpoints.add_metric(labels, cell.count)
        rows.add_metric([], self._rows)
        sent.add_metric([], self._bytes)
        return [requests, durations, endpoints, rows, sent]

    def _series_of(self, event: RequestServed, method: str) -> _Series:
        code = self._code_labels.label(event.error_code or "")
        outcome = event.outcome if event.outcome in _OUTCOMES else OTHER
        endpoint_cell = self._unmatched
        if event.endpoint is not None:
            labels = (self._endpoint_labels.label(event.endpoint), f"{event.status // 100}xx")
            endpoint_cell = self._endpoints.setdefault(labels, _Cell())
        return (
            self._requests.setdefault((method, str(event.status), code), _Cell()),
            self._durations.setdefault(outcome, _Durations()),
            endpoint_cell,
        )


def _families() -> tuple[
    CounterMetricFamily, HistogramMetricFamily, CounterMetricFamily, CounterMetricFamily, CounterMetricFamily
]:
    return (
        CounterMetricFamily(
            "qg_requests", "Data requests, by method, status and error code.", labels=["method", "status", "code"]
        ),
        HistogramMetricFamily(
            "qg_request_duration_seconds", "Duration of data requests, by outcome.", labels=["outcome"]
        ),
        CounterMetricFamily(
            "qg_endpoint_requests",
            "Data requests that matched an endpoint, by endpoint and class of status.",
            labels=["endpoint", "status_class"],
        ),
        CounterMetricFamily("qg_rows", "Rows sent to consumers."),
        CounterMetricFamily("qg_response_bytes", "Body bytes sent to consumers."),
    )


def _cumulative(buckets: list[int]) -> list[tuple[str, float]]:
    total = 0
    found: list[tuple[str, float]] = []
    for name, count in zip(_BUCKET_NAMES, buckets, strict=True):
        total += count
        found.append((name, total))
    return found
