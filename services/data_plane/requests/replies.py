"""Answers as ASGI messages: whole ones with a content-length, the start of large ones, problems, preflights."""

from collections.abc import Callable

from data_plane.requests.answers import Answer
from data_plane.requests.asgi import Message
from data_plane.requests.response_headers import JSON, Header, ResponseHeaders, error_headers
from data_plane.requests.visit import Visit
from qg_core.errors import GatewayError
from qg_core.problems import INTERNAL_ERROR_BODY, problem_body

Reply = tuple[Message, Message]
"""`http.response.start` and the only `http.response.body`."""


class Replies:
    """`from_proxy` says whether a peer is a trusted proxy. Each method notes in the visit what is being sent."""

    def __init__(self, headers: ResponseHeaders, from_proxy: Callable[[str], bool]) -> None:
        self._headers = headers
        self._from_proxy = from_proxy

    def whole(self, visit: Visit, answer: Answer) -> Reply:
        """A complete answer; without a body for HEAD."""
        if answer.stored:
            return self._stored(visit, answer)
        body = answer.body
        headers = [*self._headers.answer, *answer.headers]
        if body is None:
            return self._reply(visit, 200, headers, b"")
        headers.append((b"content-length", b"%d" % len(body)))
        visit.row_count = answer.row_count
        return self._reply(visit, 200, headers, body)

    def start_of_large(self, visit: Visit, answer: Answer, size: int | None) -> Message:
        """The first message of an answer in pieces; with a content-length when its size is known."""
        if answer.stored:
            return self._stored(visit, answer)[0]
        headers = [*self._headers.answer, *answer.headers]
        if size is not None:
            headers.append((b"content-length", b"%d" % size))
        return self._reply(visit, 200, headers, b"")[0]

    def problem(self, visit: Visit, error: GatewayError) -> Reply:
        """An error as a problem document."""
        visit.error = error
        headers = [*self._headers.problem, *error_headers(error)]
        return self._failure(visit, error.status, headers, problem_body(error, visit.request.request_id))

    def internal_error(self, visit: Visit) -> Reply:
        """What nobody foresaw: a body that says nothing."""
        return self._failure(visit, 500, [JSON, *self._headers.bare], INTERNAL_ERROR_BODY)

    def preflight(self, visit: Visit) -> Reply:
        """The answer to a preflight request of a listed origin."""
        origin = visit.request.fields[b"origin"]
        return self._reply(visit, 204, [*self._headers.bare, *self._headers.for_preflight(origin)], b"")

    def _stored(self, visit: Visit, answer: Answer) -> Reply:
        """A snapshot's answer: its own headers are complete."""
        of_node = self._headers.stored if answer.status == 200 else self._headers.not_modified
        if answer.body is None:
            return self._reply(visit, answer.status, [*of_node, *answer.headers], b"")
        visit.row_count = answer.row_count
        return self._reply(visit, answer.status, [*of_node, *answer.headers], answer.body)

    def _failure(self, visit: Visit, status: int, headers: list[Header], body: bytes) -> Reply:
        headers.append((b"content-length", b"%d" % len(body)))
        return self._reply(visit, status, headers, b"" if visit.request.method == "HEAD" else body)

    def _reply(self, visit: Visit, status: int, headers: list[Header], body: bytes) -> Reply:
        visit.status = status
        visit.body_bytes = len(body)
        request = visit.request
        headers.append((b"x-request-id", request.request_id.encode("ascii")))
        if visit.catalog is not None:
            headers.append(visit.catalog.revision_header)
        fields = request.fields
        if b"origin" in fields and status != 204:
            headers.extend(self._headers.for_origin(fields[b"origin"]))
        if b"x-forwarded-proto" in fields:
            from_proxy = self._from_proxy(request.peer)
            headers.extend(self._headers.for_transport(fields[b"x-forwarded-proto"], from_proxy=from_proxy))
        return (
            {"type": "http.response.start", "status": status, "headers": headers},
            {"type": "http.response.body", "body": body},
        )
