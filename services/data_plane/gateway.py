"""The ASGI application of the data plane: one request in, one answer and one event out.

It gives the request its id, takes the catalog once and maps errors to problem documents. What lies between is the
pipeline's.
"""

import time

from data_plane.catalogs.catalog import Catalog
from data_plane.pipeline import Pipeline
from data_plane.refreshing.refresh import Refresher
from data_plane.requests.answers import Answer, ClientGone, LargeBody
from data_plane.requests.asgi import Receive, Scope, Send
from data_plane.requests.concurrency import NodeGate
from data_plane.requests.min_revision import reach
from data_plane.requests.pieces import send_pieces
from data_plane.requests.replies import Replies, Reply
from data_plane.requests.request import Request
from data_plane.requests.request_log import RequestLog
from data_plane.requests.response_headers import ResponseHeaders
from data_plane.requests.visit import STATUS_CLIENT_GONE, Visit
from qg_core.client_address import Network, compile_client_address, compile_is_trusted
from qg_core.errors import GatewayError, NotReady
from qg_telemetry.events import Observe, UnforeseenError

NOT_READY_RETRY_AFTER_S = 1


class Gateway:
    """One node's application."""

    def __init__(
        self,
        pipeline: Pipeline,
        refresher: Refresher,
        gate: NodeGate,
        headers: ResponseHeaders,
        trusted_proxies: tuple[Network, ...],
        request_log: RequestLog,
        observe: Observe,
    ) -> None:
        self._pipeline = pipeline
        self._refresher = refresher
        self._gate = gate
        self._headers = headers
        self._replies = Replies(headers, compile_is_trusted(trusted_proxies))
        self._client_address = compile_client_address(trusted_proxies)
        self._request_log = request_log
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; WebSockets are refused."""
        if scope["type"] != "http":
            await _refuse_other(scope, send)
            return
        request = Request(scope)
        visit = Visit(request, self._client_address(request.peer, request.fields.get(b"x-forwarded-for")))
        self._gate.enter()
        self._request_log.begin()
        try:
            reply = await self._reply(visit, receive, send)
            if reply is not None:
                start, body = reply
                await send(start)
                await send(body)
        finally:
            self._gate.leave()
            visit.ended = time.monotonic()
            self._request_log.add(visit)

    async def _reply(self, visit: Visit, receive: Receive, send: Send) -> Reply | None:
        """What is left to send; None when everything was sent, or nobody is there to read it."""
        request = visit.request
        try:
            self._gate.check()
            request.check_limits()
            min_revision = request.fields.get(b"x-qg-min-revision")
            if min_revision is not None:
                await reach(self._refresher, min_revision, visit.client_ip)
            visit.catalog = catalog = self._current()
            if request.method == "OPTIONS" and self._is_preflight(request) and request.raw_path in catalog.routes:
                return self._replies.preflight(visit)
            answer = await self._pipeline.answer(visit, catalog, receive)
        except GatewayError as error:
            return self._replies.problem(visit, error)
        except ClientGone:
            visit.status = STATUS_CLIENT_GONE
            visit.aborted = True
            return None
        except Exception as error:  # noqa: BLE001  # whatever it was, the caller learns nothing and the log everything
            self._report(visit, error)
            return self._replies.internal_error(visit)
        if answer.large is None:
            return self._replies.whole(visit, answer)
        await self._send_large(visit, answer, answer.large, send)
        return None

    def _current(self) -> Catalog:
        """The catalog of this request: taken once. Raises `NotReady`."""
        catalog = self._refresher.current
        if catalog is None:
            raise NotReady(retry_after_s=NOT_READY_RETRY_AFTER_S)
        return catalog

    async def _send_large(self, visit: Visit, answer: Answer, large: LargeBody, send: Send) -> None:
        """The answer has begun: whatever goes wrong from now on aborts it."""
        try:
            await send_pieces(visit, self._replies.start_of_large(visit, answer, large.size), large, send)
        except ClientGone:
            visit.aborted = True
        except GatewayError as error:
            visit.error = error
            visit.aborted = True
        except Exception as error:  # noqa: BLE001  # as above
            self._report(visit, error)
            visit.aborted = True

    def _is_preflight(self, request: Request) -> bool:
        fields = request.fields
        return b"access-control-request-method" in fields and self._headers.allows_origin(fields.get(b"origin"))

    def _report(self, visit: Visit, error: Exception) -> None:
        self._observe(UnforeseenError.of("data request", error, request_id=visit.request.request_id))


async def _refuse_other(scope: Scope, send: Send) -> None:
    """WebSockets are closed before they open; a lifespan protocol isn't spoken."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
