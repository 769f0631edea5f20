"""A request is over once it has ended, whatever becomes of what is said of it."""

import time
from collections.abc import Sequence
from typing import cast

import pytest

from data_plane.access_log.recorder import Recorder
from data_plane.access_log.sequence import Sequence as Numbers
from data_plane.requests.request import Request
from data_plane.requests.request_log import RequestLog
from data_plane.requests.visit import Visit
from qg_core.access_events import AccessEvent
from qg_core.specs import MethodType
from qg_security.principals import Principal
from qg_telemetry.events import RequestServed

SCOPE = {
    "method": "GET",
    "raw_path": b"/api/v1/data/x",
    "query_string": b"",
    "headers": [],
    "client": ("127.0.0.1", "1"),
}


class Kept:
    """The recorder's side of it: numbers, and what it was given."""

    def __init__(self) -> None:
        self.numbers = Numbers()
        self.begin, self.end = self.numbers.begin, self.numbers.end
        self.events: list[AccessEvent] = []

    def record(self, events: Sequence[AccessEvent]) -> None:
        self.events += events


class Unsayable(Visit):
    def served(self) -> RequestServed:
        raise RuntimeError("nobody foresaw it")


async def test_what_can_not_be_said_of_a_request_leaves_none_running() -> None:
    kept, told = Kept(), list[RequestServed]()
    log = RequestLog(told.extend, cast(Recorder, kept))
    for _ in range(2):
        log.begin()
    with pytest.raises(RuntimeError):
        log.add(Unsayable(Request(SCOPE), "127.0.0.1"))
    said = Visit(Request(SCOPE), "127.0.0.1")
    said.ended = time.monotonic() - 60
    said.principal = Principal(MethodType.API_KEY, "method", "credential", "acme")
    log.add(said)
    log.flush()
    assert kept.numbers._word == 2 << 20, "two numbers were given, and nothing runs"
    (event,) = kept.events
    assert event.sequence == 1, "the other number stays without an event"
    assert event.credential_id == "credential"
    assert event.at == pytest.approx(time.time() - 60, abs=5)
    assert len(told) == 1


async def test_what_the_log_can_not_be_told_is_recorded_all_the_same() -> None:
    def deaf(_: Sequence[RequestServed]) -> None:
        raise RuntimeError("nobody foresaw it")

    kept = Kept()
    log = RequestLog(deaf, cast(Recorder, kept))
    for _ in range(3):
        log.begin()
        log.add(Visit(Request(SCOPE), "127.0.0.1"))
    with pytest.raises(RuntimeError):
        log.flush()
    assert kept.numbers._word == 3 << 20
    assert [event.sequence for event in kept.events] == [1, 2, 3]
