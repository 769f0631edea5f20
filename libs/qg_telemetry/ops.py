"""The ops routes of every service, on a port of their own: `/-/live`, `/-/ready`, `/-/metrics`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import msgspec

from qg_telemetry.metrics import Metrics
from qg_telemetry.metrics.registry import CONTENT_TYPE

Scope = MutableMapping[str, Any]  # ASGI's own types: a message is a dict by its specification
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

Ready = Callable[[], tuple[bool, Mapping[str, object]]]
"""Whether the process can do its work now, and the checks behind that, without anything secret."""

JSON_TYPE = "application/json"


def ops_app(ready: Ready, metrics: Metrics) -> AsgiApp:
    """The ASGI app of the ops port. `ready` and the metrics' readers are called in the event loop."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        status, media_type, body = await _answer(scope["path"], scope["method"], ready, metrics)
        headers = [
            (b"content-type", media_type.encode("ascii")),
            (b"content-length", str(len(body)).encode("ascii")),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        if status == 405:
            headers.append((b"allow", b"GET, HEAD"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return app


async def _answer(path: str, method: str, ready: Ready, metrics: Metrics) -> tuple[int, str, bytes]:
    if path not in ("/-/live", "/-/ready", "/-/metrics"):
        return 404, JSON_TYPE, b'{"detail":"There is no such thing."}'
    if method not in ("GET", "HEAD"):
        return 405, JSON_TYPE, b'{"detail":"This method is not allowed here."}'
    if path == "/-/live":
        return 200, JSON_TYPE, b'{"status":"ok"}'
    if path == "/-/ready":
        is_ready, checks = ready()
        body = msgspec.json.encode({"status": "ok" if is_ready else "not_ready", "checks": checks})
        return (200 if is_ready else 503), JSON_TYPE, body
    metrics.read_states()
    # Rendering thousands of series takes tens of milliseconds: not on the loop that serves requests.
    return 200, CONTENT_TYPE, await asyncio.to_thread(metrics.render)
