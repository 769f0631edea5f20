"""The ops routes: live, ready, metrics, and nothing else."""

import json
from typing import Any

import pytest

from qg_telemetry.metrics import Metrics
from qg_telemetry.ops import AsgiApp, ops_app
from tests.unit.qg_telemetry.samples import served


async def ask(app: AsgiApp, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "path": path, "method": method, "headers": []}, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, sent[1]["body"]


def make_app(*, is_ready: bool = True) -> AsgiApp:
    metrics = Metrics()
    metrics.observe_requests([served()])
    metrics.bind("qg_revision", lambda: 7)
    return ops_app(lambda: (is_ready, {"catalog": 7 if is_ready else None}), metrics)


async def test_live() -> None:
    status, headers, body = await ask(make_app(is_ready=False), "/-/live")
    assert (status, json.loads(body)) == (200, {"status": "ok"})
    assert headers["content-length"] == str(len(body))
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("is_ready", "status", "word"), [(True, 200, "ok"), (False, 503, "not_ready")])
async def test_ready(is_ready: bool, status: int, word: str) -> None:
    found, _, body = await ask(make_app(is_ready=is_ready), "/-/ready")
    assert found == status
    assert json.loads(body) == {"status": word, "checks": {"catalog": 7 if is_ready else None}}


async def test_metrics() -> None:
    status, headers, body = await ask(make_app(), "/-/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain")
    assert b"\nqg_revision 7.0\n" in body
    assert b'qg_requests_total{code="",method="GET",status="200"} 1.0' in body


async def test_head_has_no_body_but_its_length() -> None:
    status, headers, body = await ask(make_app(), "/-/live", "HEAD")
    assert (status, body, headers["content-length"]) == (200, b"", "15")


@pytest.mark.parametrize(
    "path", ["/", "/-/", "/-/live/", "/-/LIVE", "/metrics", "/api/v1/data/orders", "/-/ready/../live"]
)
async def test_nothing_else_is_there(path: str) -> None:
    assert (await ask(make_app(), path))[0] == 404


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS"])
async def test_other_methods_are_not_allowed(method: str) -> None:
    status, headers, _ = await ask(make_app(), "/-/live", method)
    assert (status, headers["allow"]) == (405, "GET, HEAD")
