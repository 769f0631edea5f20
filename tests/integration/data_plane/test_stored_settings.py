"""Stored settings act on a running node with the next catalog, and on one that starts from its disk alone."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from qg_core.gateway_settings import settings_spec
from qg_core.specs import SETTINGS_ID, SpecKind
from qg_devstack.hand_published import HandPublished
from tests.integration.data_plane.conftest import CORS_ORIGIN
from tests.integration.data_plane.node_process import NodeProcess, free_ports
from tests.support.waiting import wait_until

STORED_ORIGIN = "https://stored.example.com"
KEY = (SpecKind.SETTINGS, SETTINGS_ID)


def store(published: HandPublished, **values: Any) -> str:
    """Publish these settings (none: that nothing is stored); the revision, for `X-QG-Min-Revision`."""
    published.specs.pop(KEY, None)
    if values:
        published.put(settings_spec(values))
    return str(asyncio.run(published.publish()))


@pytest.fixture
def restored(published: HandPublished, node: NodeProcess) -> Iterator[None]:
    """Afterwards nothing is stored any more, and the node knows."""
    yield
    assert node.get("open?n=1", X_QG_Min_Revision=store(published)).status_code == 200


def allowed_origin(node: NodeProcess, origin: str, revision: str = "0") -> str | None:
    answer = node.get("open?n=1", Origin=origin, X_QG_Min_Revision=revision)
    assert answer.status_code == 200, answer.text
    allowed: str | None = answer.headers.get("access-control-allow-origin")
    return allowed


def preflight(node: NodeProcess, origin: str) -> httpx.Response:
    headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    return node.client.options("open", headers=headers)


@pytest.mark.usefixtures("restored")
def test_origins_replace_those_of_the_environment_and_give_way_again(
    published: HandPublished, node: NodeProcess
) -> None:
    revision = store(published, cors_origins=[STORED_ORIGIN])
    assert allowed_origin(node, STORED_ORIGIN, revision) == STORED_ORIGIN
    assert allowed_origin(node, CORS_ORIGIN) is None
    assert preflight(node, STORED_ORIGIN).status_code == 204
    assert preflight(node, CORS_ORIGIN).status_code == 405
    revision = store(published, cors_origins=[])
    assert allowed_origin(node, STORED_ORIGIN, revision) is None
    refused = preflight(node, STORED_ORIGIN)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    revision = store(published)
    assert allowed_origin(node, CORS_ORIGIN, revision) == CORS_ORIGIN
    assert allowed_origin(node, STORED_ORIGIN) is None


@pytest.mark.usefixtures("restored")
def test_the_time_limit_caps_every_endpoint(published: HandPublished, quiet: NodeProcess) -> None:
    revision = store(published, query_timeout_seconds=1)
    started = time.monotonic()
    answer = quiet.get("slow?s=20", X_QG_Min_Revision=revision)
    assert (answer.status_code, answer.json()["code"]) == (504, "query_timeout")
    assert time.monotonic() - started < 10, "long before the query would have ended"
    revision = store(published)
    assert quiet.get("slow?s=1.3", X_QG_Min_Revision=revision).status_code == 200


@pytest.mark.usefixtures("restored")
def test_the_log_level_acts_at_once(published: HandPublished, node: NodeProcess) -> None:
    revision = store(published, log_level="ERROR")
    told = node.metric("qg_requests_total")
    node.get("open?n=1", X_Request_ID="unheard", X_QG_Min_Revision=revision)
    # Requests are told some milliseconds later, by the level that holds then.
    wait_until(lambda: node.metric("qg_requests_total") > told, "the request was told")
    revision = store(published, log_level="DEBUG")
    node.get("open?n=1", X_Request_ID="heard", X_QG_Min_Revision=revision)
    assert node.wait_for_line(event="settings_applied", stored=["log_level=DEBUG"])
    assert node.wait_for_line(event="request_served", request_id="heard")
    assert not any(line.get("request_id") == "unheard" for line in node.log_lines())


@pytest.mark.usefixtures("restored")
def test_settings_that_this_release_can_not_use_leave_the_environments(
    published: HandPublished, node: NodeProcess
) -> None:
    spec = settings_spec({"cors_origins": [STORED_ORIGIN]})
    published.put(type(spec)(**{**{name: getattr(spec, name) for name in spec.__struct_fields__}, "format": 9}))
    revision = str(asyncio.run(published.publish()))
    assert allowed_origin(node, CORS_ORIGIN, revision) == CORS_ORIGIN
    assert allowed_origin(node, STORED_ORIGIN) is None
    said = node.wait_for_line(event="specs_unusable", revision=int(revision))
    assert said["subjects"] == ["settings:gateway"]


@pytest.mark.usefixtures("restored")
def test_a_node_that_starts_without_redis_has_them_from_its_disk(published: HandPublished, tmp_path: Path) -> None:
    store(published, cors_origins=[STORED_ORIGIN], query_timeout_seconds=1)
    port, ops_port = free_ports(2)
    environ = {**published.environ(str(tmp_path / "state"), port, ops_port), "CORS_ORIGINS": CORS_ORIGIN}
    first = NodeProcess(environ, port, ops_port, tmp_path / "first.log")
    try:
        first.wait_until_ready()
        assert allowed_origin(first, STORED_ORIGIN) == STORED_ORIGIN
    finally:
        first.stop()
    again = NodeProcess({**environ, "REDIS_URL": "redis://127.0.0.1:1/0"}, port, ops_port, tmp_path / "second.log")
    try:
        again.wait_until_ready()
        assert allowed_origin(again, STORED_ORIGIN) == STORED_ORIGIN
        assert allowed_origin(again, CORS_ORIGIN) is None
        assert again.get("slow?s=20").status_code == 504
    finally:
        again.stop()
