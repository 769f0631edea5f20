"""The first thing that sees a request and the last that sees its answer; only this file knows the order."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from msgspec.structs import replace

from control_plane.edge.failures import answer_of
from control_plane.edge.headers import ResponseHeaders
from control_plane.edge.request_traces import record_request
from control_plane.edge.visit import Visit, attach
from qg_core.client_address import network_of
from qg_core.errors import BadRequest, BodyTooLarge, TargetTooLong
from qg_core.request_ids import request_id_from
from qg_telemetry.events import AdminRequestServed, Observe
from qg_telemetry.traces import Traces

BODY_BYTES_MAX = 1_048_576
OPEN_BODY_BYTES_MAX = 16_384
"""Of callers who are not signed in: all they can send is a sign-in."""

TARGET_BYTES_MAX = 8_192
PATH_SHOWN_MAX = 512

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]


class Gate(Protocol):
    async def admit(self, method: str, path: str, headers: list[tuple[bytes, bytes]], visit: Visit) -> None:
        """Set `visit.actor` or leave open routes alone. Raises a `GatewayError` when the caller may not pass."""
        ...


class Front:
    """An ASGI app around another: id, limits, gate, errors as problems, headers, one event per request."""

    def __init__(
        self,
        app: AsgiApp,
        *,
        gate: Gate,
        headers: ResponseHeaders,
        client_address: Callable[[str, bytes | None], str],
        is_trusted: Callable[[str], bool],
        observe: Observe,
        traces: Traces | None = None,
    ) -> None:
        self._app = app
        self._gate = gate
        self._headers = headers
        self._client_address = client_address
        self._is_trusted = is_trusted
        self._observe = observe
        self._traces = traces

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        await self._serve(scope, receive, send)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        started = time.perf_counter()
        given = dict(reversed(scope["headers"]))
        peer = (scope.get("client") or ("", 0))[0]
        client_ip = self._client_address(peer, _joined(scope["headers"], b"x-forwarded-for"))
        visit = Visit(request_id_from(given.get(b"x-request-id")), client_ip, network_of(client_ip))
        attach(scope, visit)
        over_https = scope.get("scheme") == "https" or (
            self._is_trusted(peer) and given.get(b"x-forwarded-proto") == b"https"
        )
        added = self._headers.of(visit.request_id, given.get(b"origin"), over_https=over_https)
        sent = _Sent(send, added)
        try:
            preflight = self._preflight(scope["method"], given)
            if preflight is not None:
                await sent.answer(204, preflight, b"")
            else:
                await self._pass(scope, receive, sent, given, visit)
        except Exception as error:  # noqa: BLE001 - the boundary: everything becomes an answer and an event
            answer = answer_of(error, visit, self._observe)
            if sent.status is None:
                await sent.answer(answer.status, answer.headers, answer.body)
        served = AdminRequestServed(
            request_id=visit.request_id,
            user=visit.actor.username if visit.actor else None,
            method=scope["method"][:16],
            path=scope["path"][:PATH_SHOWN_MAX],
            client_ip=visit.client_ip,
            status=sent.status or 0,
            duration_ms=round((time.perf_counter() - started) * 1_000, 3),
            bytes=sent.body_bytes,
            error_code=visit.error_code,
        )
        if self._traces is not None:
            # Only behind a trusted proxy may a caller name the trace and have it taken.
            traceparent = given.get(b"traceparent") if self._is_trusted(peer) else None
            trace_id = record_request(self._traces, served, scope.get("path_template", ""), traceparent)
            served = served if trace_id is None else replace(served, trace_id=trace_id)
        self._observe(served)

    def _preflight(self, method: str, given: dict[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...] | None:
        if method != "OPTIONS" or b"access-control-request-method" not in given:
            return None
        return self._headers.preflight(given.get(b"origin"))

    async def _pass(self, scope: Any, receive: Any, sent: "_Sent", given: dict[bytes, bytes], visit: Visit) -> None:
        if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > TARGET_BYTES_MAX:
            raise TargetTooLong
        declared = given.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared[:20]) > BODY_BYTES_MAX:
            raise BodyTooLarge
        await self._gate.admit(scope["method"], scope["path"], scope["headers"], visit)
        bytes_max = OPEN_BODY_BYTES_MAX if visit.actor is None else BODY_BYTES_MAX
        if int(declared[:20]) > bytes_max:
            raise BodyTooLarge
        await self._app(scope, _limited(receive, bytes_max), sent)


class _Sent:
    """`send`, with the headers of every answer added, remembering what was sent."""

    def __init__(self, send: Any, added: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._added = added
        self.status: int | None = None
        self.body_bytes = 0

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), *self._added]}
        elif message["type"] == "http.response.body":
            self.body_bytes += len(message.get("body", b""))
        await self._send(message)

    async def answer(self, status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes) -> None:
        """A whole answer."""
        length = () if status == 204 else ((b"content-length", str(len(body)).encode()),)
        await self({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
        await self({"type": "http.response.body", "body": body})


def _joined(headers: list[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """All lines of a header as one (RFC 9110, section 5.3): a proxy may add its own behind the client's."""
    return b", ".join(value for found, value in headers if found == name) or None


def _limited(receive: Any, bytes_max: int) -> Any:
    """`receive`, raising `BodyTooLarge` as soon as too much arrived, `BadRequest` when the rest will never come."""
    total = 0
    complete = False

    async def limited() -> Any:
        nonlocal total, complete
        message = await receive()
        if message["type"] == "http.request":
            total += len(message.get("body", b""))
            if total > bytes_max:
                raise BodyTooLarge
            complete = not message.get("more_body", False)
        elif not complete:
            raise BadRequest("The client went away before the request was complete.")
        return message

    return limited
