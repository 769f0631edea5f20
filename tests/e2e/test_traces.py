"""Traces of all three services, taken by a collector as they are sent; what they hold and what they don't."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.fleet import Admin, Fleet, Running, get
from tests.support.collector import Collector, attributes_of, collecting
from tests.support.waiting import wait_until

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
SECRET = "never-in-a-trace"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


def _line(service: Running, **fields: object) -> dict[str, object]:
    """The log line with these fields, when it is written."""
    found: list[dict[str, object]] = []

    def is_there() -> bool:
        lines = [json.loads(line) for line in service.service.log_path.read_bytes().splitlines()]
        found[:] = [line for line in lines if all(line.get(name) == value for name, value in fields.items())]
        return bool(found)

    wait_until(is_there, f"a line with {fields}")
    return found[-1]


def test_requests_and_runs_are_traced(fleet: Fleet, collector: Collector) -> None:
    told = collector.environ()
    control_plane = fleet.control_plane(**told)
    node = fleet.data_plane(**told, TRUSTED_PROXIES="127.0.0.1")
    fleet.worker(**told)
    with fleet.admin(control_plane) as admin:
        stored = _define(fleet, admin)
        answer = get(node, "live?item_id=1", **{"traceparent": PARENT, "X-QG-Min-Revision": str(admin.revision)})
        assert answer.status_code == 200
        get(node, "live?item_id=2", **{"X-Request-ID": "a-root-of-its-own"})
        get(node, f"unheard-of/{SECRET}?token={SECRET}", authorization=f"Bearer {SECRET}")
        admin.make(f"schedules/{stored}/run")
    wait_until(lambda: bool(collector.named("job run")), "the worker's run is traced", 30)
    wait_until(lambda: len(collector.named("GET /api/v1/data/live")) == 2, "both requests are traced")

    requests = {attributes_of(span)["qg.request_id"]: span for span in collector.named("GET /api/v1/data/live")}
    own = requests.pop("a-root-of-its-own")
    (continued,) = requests.values()
    assert continued.trace_id.hex() == TRACE_ID
    assert continued.parent_span_id.hex() == "00f067aa0ba902b7"
    assert own.trace_id.hex() != TRACE_ID
    assert own.parent_span_id == b""
    assert _line(node, event="request_served", request_id="a-root-of-its-own")["trace_id"] == own.trace_id.hex()
    (query,) = [span for span in collector.named("query") if span.parent_span_id == own.span_id]
    assert own.start_time_unix_nano <= query.start_time_unix_nano <= query.end_time_unix_nano <= own.end_time_unix_nano
    assert attributes_of(query) == {"db.system.name": "oracle.db", "db.response.returned_rows": 1}
    assert attributes_of(own)["http.response.status_code"] == 200

    (run,) = collector.named("job run")
    assert attributes_of(run)["db.response.returned_rows"] == 3
    assert run.end_time_unix_nano > run.start_time_unix_nano
    wait_until(lambda: bool(collector.named("POST /api/v1/admin/schedules/{schedule_id}/run")), "the admin's request")
    assert collector.services == {"querygateway-control-plane", "querygateway-data-plane", "querygateway-worker"}
    # What callers invent becomes no name, and nothing of a query string or a header is anywhere.
    assert len(collector.named("GET /api/v1/data")) == 1
    said = [str(span) for span in collector.spans]
    assert not any(f"token={SECRET}" in text or f"Bearer {SECRET}" in text for text in said)
    assert not any(fleet.oracle.password in text or "select" in text.lower() for text in said)


def _define(fleet: Fleet, admin: Admin) -> str:
    """A live endpoint and one that a schedule fills; the schedule's id."""
    connection = admin.connection(fleet.oracle)
    admin.endpoint("live", connection)
    endpoint = admin.endpoint(
        "stored",
        connection,
        sql_text="select item_id, name from items where item_id <= 3",
        param_schema={},
        data_strategy="snapshot",
    )
    schedule = admin.make("schedules", endpoint_id=endpoint["id"], schedule_type="interval", interval_seconds=86_400)
    return schedule["id"]
