"""Metrics: right counts, bounded labels, well-formed text, and a page of the docs that names them all."""

import re
from pathlib import Path
from typing import ClassVar

import pytest
from prometheus_client.parser import text_string_to_metric_families

from qg_telemetry.events import Event, Level
from qg_telemetry.metrics import STATES, Metrics
from qg_telemetry.metrics.bounded import BoundedLabels
from qg_telemetry.metrics.registry import REASON_LABELS_MAX
from qg_telemetry.metrics.requests import ENDPOINT_LABELS_MAX, RequestMetrics
from qg_telemetry.observer import Observer
from tests.unit.qg_telemetry.samples import served, written

DOC = Path(__file__).parents[3] / "docs" / "metrics.md"


def samples_of(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    metrics.read_states()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


class _Rejected(Event, frozen=True, kw_only=True):
    """An event that is counted by its reason."""

    counted_by: ClassVar[str | None] = "reason"
    reason: str


class _Happened(Event, frozen=True, kw_only=True):
    """An event without a reason."""

    level: ClassVar[Level] = Level.DEBUG


def test_requests_are_counted() -> None:
    metrics = Metrics()
    for _ in range(3):
        metrics.observe_requests([served()])
    metrics.observe_requests(
        [served(status=401, outcome="refused", error_code="credential_invalid", row_count=None, bytes=90)]
    )
    metrics.observe_requests([served(status=404, endpoint=None, endpoint_id=None, method="BREW", outcome="x", bytes=0)])
    found = samples_of(metrics)
    assert found["qg_requests_total", (("code", ""), ("method", "GET"), ("status", "200"))] == 3
    assert found["qg_requests_total", (("code", "credential_invalid"), ("method", "GET"), ("status", "401"))] == 1
    assert found["qg_requests_total", (("code", ""), ("method", "other"), ("status", "404"))] == 1
    assert found["qg_endpoint_requests_total", (("endpoint", "orders"), ("status_class", "2xx"))] == 3
    assert found["qg_endpoint_requests_total", (("endpoint", "orders"), ("status_class", "4xx"))] == 1
    assert found["qg_rows_total", ()] == 40
    assert found["qg_response_bytes_total", ()] == 450
    assert found["qg_request_duration_seconds_count", (("outcome", "refused"),)] == 1
    assert found["qg_request_duration_seconds_count", (("outcome", "other"),)] == 1


def test_made_up_methods_leave_nothing_behind() -> None:
    requests = RequestMetrics()
    for number in range(100):
        requests.observe([served(status=404, endpoint=None, endpoint_id=None, method=f"BREW{number}" + "X" * 30_000)])
    assert len(requests._series) == 1
    assert all(len(part) < 100 for key in requests._series for part in key if isinstance(part, str))


@pytest.mark.parametrize(("duration_ms", "first_bucket"), [(0.0, 0.001), (1.0, 0.001), (1.1, 0.0025), (60_000.0, 60.0)])
def test_durations_fall_into_their_bucket(duration_ms: float, first_bucket: float) -> None:
    metrics = Metrics()
    metrics.observe_requests([served(duration_ms=duration_ms)])
    buckets = {
        float(dict(labels)["le"]): value
        for (name, labels), value in samples_of(metrics).items()
        if name == "qg_request_duration_seconds_bucket"
    }
    assert {bound for bound, count in buckets.items() if count} == {b for b in buckets if b >= first_bucket}
    metrics.observe_requests([served(duration_ms=1e9)])
    assert samples_of(metrics)["qg_request_duration_seconds_sum", (("outcome", "ok"),)] == pytest.approx(
        (duration_ms + 1e9) / 1e3
    )


def test_other_events_are_counted_by_name_and_reason() -> None:
    metrics = Metrics()
    metrics.observe(_Happened())
    for reason in ("bad_signature", "bad_signature", "bad_digest"):
        metrics.observe(_Rejected(reason=reason))
    found = samples_of(metrics)
    assert found["qg_events_total", (("event", "_happened"), ("reason", ""))] == 1
    assert found["qg_events_total", (("event", "_rejected"), ("reason", "bad_signature"))] == 2


def test_labels_are_bounded_whatever_comes() -> None:
    metrics = Metrics()
    for number in range(ENDPOINT_LABELS_MAX + 500):
        metrics.observe_requests(
            [served(endpoint=f"e{number}", endpoint_id=f"id{number}", error_code=f"code-{number}")]
        )
        metrics.observe(_Rejected(reason=f"reason {number}"))
    found = samples_of(metrics)
    endpoints = {dict(labels)["endpoint"] for name, labels in found if name == "qg_endpoint_requests_total"}
    reasons = {dict(labels)["reason"] for name, labels in found if name == "qg_events_total"}
    codes = {dict(labels)["code"] for name, labels in found if name == "qg_requests_total"}
    assert len(endpoints) == ENDPOINT_LABELS_MAX + 1
    assert len(reasons) == REASON_LABELS_MAX + 1
    assert len(codes) == 101
    assert "other" in endpoints & reasons & codes


def test_long_labels_are_other() -> None:
    labels = BoundedLabels(10)
    assert labels.label("x" * 201) == "other"
    assert labels.label("x" * 200) == "x" * 200


def test_states_are_read_at_the_scrape() -> None:
    metrics = Metrics()
    value = {"now": 1.0}
    metrics.bind("qg_revision", lambda: value["now"])
    metrics.bind("qg_pool_sessions_busy", lambda: {'a "quoted"\nname\\': 2.0, "b": 3.0})
    assert samples_of(metrics)["qg_revision", ()] == 1
    value["now"] = 5
    found = samples_of(metrics)
    assert found["qg_revision", ()] == 5
    assert found["qg_pool_sessions_busy", (("connection", 'a "quoted"\nname\\'),)] == 2
    assert not [name for name, _ in found if name == "qg_ready"]


def test_labelled_states_are_bounded_and_unknown_ones_refused() -> None:
    metrics = Metrics()
    metrics.bind("qg_pool_sessions_open", lambda: {f"c{number:04}": 1.0 for number in range(1000)})
    assert len([name for name, _ in samples_of(metrics) if name == "qg_pool_sessions_open"]) == 200
    with pytest.raises(KeyError):
        metrics.bind("qg_nonsense", lambda: 1.0)


def test_two_processes_worth_of_metrics_share_nothing() -> None:
    one, two = Metrics(), Metrics()
    one.observe_requests([served()])
    assert ("qg_rows_total", ()) in samples_of(two)
    assert samples_of(two)["qg_rows_total", ()] == 0


def test_the_observer_does_both() -> None:
    with written() as out:
        observer = Observer(out.log, Metrics())
        observer.requests([served()])
        observer(_Rejected(reason="bad_digest"))
        assert [line["event"] for line in out.lines()] == ["request_served", "_rejected"]
        assert samples_of(observer.metrics)["qg_log_lines_dropped_total", ()] == 0
        assert samples_of(observer.metrics)["qg_rows_total", ()] == 10
        rejected = (("event", "_rejected"), ("reason", "bad_digest"))
        assert samples_of(observer.metrics)["qg_events_total", rejected] == 1


def names_in_code() -> set[str]:
    metrics = Metrics()
    for state in STATES:
        metrics.bind(state.name, (lambda: {"x": 1.0}) if state.label else (lambda: 1.0))
    metrics.observe_requests([served()])
    metrics.observe(_Happened())
    metrics.read_states()
    families = text_string_to_metric_families(metrics.render().decode())
    found = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    return {name for name in found if name.startswith("qg_")}


def test_the_docs_name_every_metric_and_no_other() -> None:
    documented = set(re.findall(r"^\| `(qg_[a-z_]+)", DOC.read_text(), re.M))
    assert documented == names_in_code()
