"""What the gateway makes of failures: a bare 500 for what nobody foresaw, an abort once an answer has begun."""

from collections.abc import Callable
from typing import Any, ClassVar, cast

import pytest

from data_plane.gateway import Gateway
from data_plane.pipeline import Pipeline
from data_plane.refreshing.refresh import Refresher
from data_plane.requests.answers import Answer, ClientGone
from data_plane.requests.asgi import Message
from data_plane.requests.concurrency import NodeGate
from data_plane.requests.request_log import RequestLog
from data_plane.requests.response_headers import ResponseHeaders
from qg_core.errors import QueryFailed
from qg_telemetry.events import Event, RequestServed, UnforeseenError

SECRET = "select password from ora_schema"


class ServedCatalog:
    revision = 7
    revision_header = (b"x-qg-revision", b"7")
    routes: ClassVar[dict[bytes, object]] = {}


class Outcome:
    """Stands where the pipeline is: gives one answer or raises."""

    def __init__(self, outcome: Answer | Exception) -> None:
        self._outcome = outcome

    async def answer(self, *_: object) -> Answer:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


class Pieces:
    """A large body that fails after its first piece."""

    def __init__(self, failure: Exception | None) -> None:
        self._failure = failure
        self._given = 0
        self.closed = False
        self.expires_at = float("inf")
        self.size: int | None = None
        self.row_count = 3
        self.gone = False

    async def next_piece(self) -> bytes:
        self._given += 1
        if self._given == 1:
            return b'{"data":['
        if self._failure is not None:
            raise self._failure
        return b""

    def close(self) -> None:
        self.closed = True


class CurrentOnly:
    current = ServedCatalog()


async def served(outcome: Answer | Exception, method: str = "GET") -> tuple[list[Message], list[Event]]:
    events: list[Event] = []
    messages: list[Message] = []
    log = RequestLog(events.extend)
    gateway = Gateway(
        cast(Pipeline, Outcome(outcome)),
        cast(Refresher, CurrentOnly()),
        NodeGate(10),
        ResponseHeaders(security_headers=True, cors_origins=()),
        (),
        log,
        events.append,
    )

    async def receive() -> Message:
        raise AssertionError("nothing is read from a data request")

    async def send(message: Message) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "method": method,
        "raw_path": b"/api/v1/data/x",
        "query_string": b"",
        "headers": [],
        "client": ("192.0.2.1", "1"),
    }
    await gateway(scope, receive, send)
    log.flush()
    return messages, events


def line_of(events: list[Event]) -> RequestServed:
    (line,) = [event for event in events if isinstance(event, RequestServed)]
    return line


@pytest.mark.parametrize("make", [lambda: RuntimeError(SECRET), lambda: RecursionError(), lambda: KeyError(SECRET)])
async def test_what_nobody_foresaw(make: Callable[[], Exception]) -> None:
    (start, body), events = await served(make())
    assert start["status"] == 500
    assert body["body"] == b'{"detail":"Internal server error"}'
    headers = dict(start["headers"])
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"content-length"] == b"34"
    assert any(isinstance(event, UnforeseenError) for event in events)
    assert (line_of(events).status, line_of(events).outcome) == (500, "failed")


async def test_a_foreseen_failure_is_a_problem_document() -> None:
    failed = QueryFailed()
    failed.cause_code = "ORA-00942"
    (start, body), events = await served(failed)
    assert start["status"] == 500
    assert b'"code":"query_failed"' in body["body"]
    assert b"ORA-" not in body["body"]
    assert line_of(events).ora_code == "ORA-00942"


async def test_nothing_is_sent_to_a_client_that_is_gone() -> None:
    messages, events = await served(ClientGone())
    assert messages == []
    assert (line_of(events).status, line_of(events).aborted) == (499, True)


async def test_head_has_no_body() -> None:
    (start, body), _ = await served(RuntimeError(), method="HEAD")
    assert dict(start["headers"])[b"content-length"] == b"34"
    assert body["body"] == b""


@pytest.mark.parametrize(
    ("failure", "error_code"), [(QueryFailed(), "query_failed"), (RuntimeError(SECRET), None), (ClientGone(), None)]
)
async def test_an_answer_that_has_begun_is_aborted(failure: Exception, error_code: str | None) -> None:
    pieces = Pieces(failure)
    messages, events = await served(Answer((), large=pieces))
    assert [message["type"] for message in messages] == ["http.response.start", "http.response.body"]
    assert messages[-1]["more_body"] is True  # no final chunk
    assert pieces.closed
    line = line_of(events)
    assert (line.status, line.aborted, line.outcome, line.error_code) == (200, True, "aborted", error_code)
    assert line.row_count == 3
    assert any(isinstance(event, UnforeseenError) for event in events) == isinstance(failure, RuntimeError)


async def test_an_answer_in_pieces_ends_with_a_final_one() -> None:
    pieces = Pieces(None)
    messages, events = await served(Answer((), large=pieces))
    assert messages[-1] == {"type": "http.response.body", "body": b""}
    assert line_of(events).aborted is False


async def test_a_websocket_is_closed() -> None:
    messages: list[Any] = []

    async def send(message: Message) -> None:
        messages.append(message)

    gateway = Gateway(
        cast(Pipeline, None),
        cast(Refresher, None),
        NodeGate(1),
        ResponseHeaders(security_headers=True, cors_origins=()),
        (),
        RequestLog(lambda _: None),
        lambda _: None,
    )
    await gateway({"type": "websocket"}, cast(Any, None), send)
    assert messages == [{"type": "websocket.close", "code": 1008}]
