"""Writes answers to the server: whole ones with a content-length, large ones in pieces, problems, preflights."""

import asyncio
import time
from collections.abc import Callable

from data_plane.answers import Answer, ClientGone, LargeBody
from data_plane.asgi import Send
from data_plane.response_headers import JSON, Header, ResponseHeaders, error_headers
from data_plane.visit import Visit
from qg_core.errors import GatewayError, QueryTimedOut
from qg_core.problems import INTERNAL_ERROR_BODY, problem_body

_HEAD = "HEAD"


class Sender:
    """`from_proxy` says whether a peer is a trusted proxy."""

    def __init__(self, headers: ResponseHeaders, from_proxy: Callable[[str], bool]) -> None:
        self._headers = headers
        self._from_proxy = from_proxy

    async def whole(self, visit: Visit, answer: Answer, send: Send) -> None:
        """A complete answer; without a body for HEAD."""
        visit.status = 200
        headers = self._complete(visit, (*self._headers.answer, *answer.headers))
        body = answer.body
        if body is None:
            await _send(send, 200, headers, b"")
            return
        headers.append((b"content-length", b"%d" % len(body)))
        visit.row_count = answer.row_count
        visit.body_bytes = len(body)
        await _send(send, 200, headers, body)

    async def large(self, visit: Visit, answer: Answer, large: LargeBody, send: Send) -> None:
        """An answer in pieces. The server takes a piece when the client has read the ones before it.

        Raises whatever ends it early; the status is out by then, so the caller must return without another message:
        the server then closes the connection without a final chunk.
        """
        visit.status = 200
        try:
            headers = self._complete(visit, (*self._headers.answer, *answer.headers))
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            while piece := await large.next_piece():
                if large.gone:
                    raise ClientGone
                visit.body_bytes += len(piece)
                await _send_in_time(send, piece, large.expires_at)
            await send({"type": "http.response.body", "body": b""})
        finally:
            visit.row_count = large.row_count
            large.close()

    async def problem(self, visit: Visit, error: GatewayError, send: Send) -> None:
        """An error as a problem document."""
        visit.status = error.status
        visit.error = error
        body = problem_body(error, visit.request.request_id)
        headers = self._complete(visit, (*self._headers.problem, *error_headers(error)))
        await self._send_body(visit, error.status, headers, body, send)

    async def internal_error(self, visit: Visit, send: Send) -> None:
        """What nobody foresaw: a body that says nothing."""
        visit.status = 500
        headers = self._complete(visit, (JSON, *self._headers.bare))
        await self._send_body(visit, 500, headers, INTERNAL_ERROR_BODY, send)

    async def preflight(self, visit: Visit, send: Send) -> None:
        """The answer to a preflight request of a listed origin."""
        visit.status = 204
        origin = visit.request.fields[b"origin"]
        headers = self._complete(visit, (*self._headers.bare, *self._headers.for_preflight(origin)))
        await _send(send, 204, headers, b"")

    async def _send_body(self, visit: Visit, status: int, headers: list[Header], body: bytes, send: Send) -> None:
        headers.append((b"content-length", b"%d" % len(body)))
        if visit.request.method == _HEAD:
            body = b""
        visit.body_bytes = len(body)
        await _send(send, status, headers, body)

    def _complete(self, visit: Visit, known: tuple[Header, ...]) -> list[Header]:
        """The known headers and those of this request."""
        request = visit.request
        fields = request.fields
        headers = [*known, (b"x-request-id", request.request_id.encode("ascii"))]
        if visit.catalog is not None:
            headers.append((b"x-qg-revision", b"%d" % visit.catalog.revision))
        if b"origin" in fields and visit.status != 204:
            headers.extend(self._headers.for_origin(fields[b"origin"]))
        if b"x-forwarded-proto" in fields:
            from_proxy = self._from_proxy(request.peer)
            headers.extend(self._headers.for_transport(fields[b"x-forwarded-proto"], from_proxy=from_proxy))
        return headers


async def _send(send: Send, status: int, headers: list[Header], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _send_in_time(send: Send, piece: bytes, expires_at: float) -> None:
    """Send a piece; a client that reads too slowly has used up the time of its request. Raises `QueryTimedOut`."""
    try:
        async with asyncio.timeout(expires_at - time.monotonic()):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    except TimeoutError:
        raise QueryTimedOut("The answer was not read in time.") from None
