"""Traces of one node: who may name them, and what a collector that has gone does to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from qg_devstack.hand_published import HandPublished
from tests.integration.data_plane.node_process import NodeProcess, free_ports
from tests.support.collector import Collector, collecting
from tests.support.waiting import wait_until

NAME = "GET /api/v1/data/open"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
UNSAMPLED = f"00-{TRACE_ID}-00f067aa0ba902b7-00"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


def start(published: HandPublished, directory: Path, **settings: str) -> NodeProcess:
    port, ops_port = free_ports(2)
    environ = {**published.environ(str(directory / "state"), port, ops_port), **settings}
    node = NodeProcess(environ, port, ops_port, directory / "log")
    node.wait_until_ready()
    return node


def test_behind_a_trusted_proxy_the_caller_decides(
    published: HandPublished, tmp_path: Path, collector: Collector
) -> None:
    node = start(published, tmp_path, TRUSTED_PROXIES="127.0.0.1", **collector.environ())
    try:
        node.get("open?n=1", traceparent=UNSAMPLED)
        node.get("open?n=1", traceparent="00-not-a-parent")
        node.get("open?n=1", traceparent=PARENT)
        wait_until(lambda: len(collector.named(NAME)) == 2, "those that are to be traced")
    finally:
        node.stop()
    strange, continued = collector.named(NAME)
    assert strange.parent_span_id == b""
    assert continued.trace_id.hex() == TRACE_ID
    assert len(collector.named(NAME)) == 2


def test_others_name_no_trace_and_a_collector_that_has_gone_harms_nobody(
    published: HandPublished, tmp_path: Path
) -> None:
    with collecting() as collector:
        node = start(published, tmp_path, **collector.environ())
        try:
            node.get("open?n=1", traceparent=PARENT)
            wait_until(lambda: bool(collector.named(NAME)), "it is traced")
        except BaseException:
            node.stop()
            raise
    assert collector.named(NAME)[0].trace_id.hex() != TRACE_ID
    try:
        assert [node.get("open?n=1").status_code for _ in range(50)] == [200] * 50
    finally:
        node.stop()
    assert node.wait_for_line(event="service_stopped")["requests_dropped"] == 0


def test_without_the_packages_the_node_says_what_is_missing(
    published: HandPublished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    from cli.main import main

    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    environ = {**published.environ(str(tmp_path), *free_ports(2)), "TRACES": "otlp"}
    assert main(["data-plane"], environ) == 2
    assert "TRACES: the extra `otel` is not installed (opentelemetry.sdk.trace is missing)" in capsys.readouterr().err
