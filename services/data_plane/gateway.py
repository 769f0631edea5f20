"""The ASGI application of the data plane: one request in, one answer and one event out.

It gives the request its id, takes the catalog once and maps errors to problem documents. What lies between is the
pipeline's.
"""

import time
import traceback

from data_plane.answers import Answer, ClientGone
from data_plane.asgi import Receive, Scope, Send
from data_plane.client_address import Network, compile_client_address, compile_is_trusted
from data_plane.concurrency import NodeGate
from data_plane.min_revision import reach
from data_plane.pipeline import Pipeline
from data_plane.refresh import Refresher
from data_plane.request import Request
from data_plane.response_headers import ResponseHeaders
from data_plane.sending import Sender
from data_plane.visit import STATUS_CLIENT_GONE, Visit
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
        observe: Observe,
    ) -> None:
        self._pipeline = pipeline
        self._refresher = refresher
        self._gate = gate
        self._headers = headers
        self._sender = Sender(headers, compile_is_trusted(trusted_proxies))
        self._client_address = compile_client_address(trusted_proxies)
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; WebSockets are refused."""
        if scope["type"] != "http":
            await _refuse_other(scope, send)
            return
        request = Request(scope)
        visit = Visit(request, self._client_address(request.peer, request.fields.get(b"x-forwarded-for")))
        try:
            await self._serve(visit, receive, send)
        finally:
            self._observe(visit.served(time.monotonic()))

    async def _serve(self, visit: Visit, receive: Receive, send: Send) -> None:
        try:
            self._gate.enter()
        except GatewayError as error:
            await self._sender.problem(visit, error, send)
            return
        try:
            await self._answer_and_send(visit, receive, send)
        finally:
            self._gate.leave()

    async def _answer_and_send(self, visit: Visit, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(visit, receive)
        except GatewayError as error:
            await self._sender.problem(visit, error, send)
        except ClientGone:
            visit.status = STATUS_CLIENT_GONE
            visit.aborted = True
        except Exception as error:  # noqa: BLE001  # whatever it was, the caller learns nothing and the log everything
            self._report(visit, error)
            await self._sender.internal_error(visit, send)
        else:
            await self._send(visit, answer, send)

    async def _answer(self, visit: Visit, receive: Receive) -> Answer | None:
        """The answer; None is the one to a preflight request."""
        request = visit.request
        request.check_limits()
        min_revision = request.fields.get(b"x-qg-min-revision")
        if min_revision is not None:
            await reach(self._refresher, min_revision)
        visit.catalog = catalog = self._refresher.current
        if catalog is None:
            raise NotReady(retry_after_s=NOT_READY_RETRY_AFTER_S)
        if request.method == "OPTIONS" and self._is_preflight(request) and request.raw_path in catalog.routes:
            return None
        return await self._pipeline.answer(visit, catalog, receive)

    def _is_preflight(self, request: Request) -> bool:
        fields = request.fields
        return b"access-control-request-method" in fields and self._headers.allows_origin(fields.get(b"origin"))

    async def _send(self, visit: Visit, answer: Answer | None, send: Send) -> None:
        if answer is None:
            await self._sender.preflight(visit, send)
        elif answer.large is None:
            await self._sender.whole(visit, answer, send)
        else:
            try:
                await self._sender.large(visit, answer, answer.large, send)
            except ClientGone:
                visit.aborted = True
            except GatewayError as error:
                visit.error = error
                visit.aborted = True
            except Exception as error:  # noqa: BLE001  # the answer has begun: all that is left is to abort it
                self._report(visit, error)
                visit.aborted = True

    def _report(self, visit: Visit, error: Exception) -> None:
        self._observe(
            UnforeseenError(
                where="data request",
                error=type(error).__name__,
                traceback="".join(traceback.format_exception(error)),
                request_id=visit.request.request_id,
            )
        )


async def _refuse_other(scope: Scope, send: Send) -> None:
    """WebSockets are closed before they open; a lifespan protocol isn't spoken."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
