"""Lines: one JSON object each, redacted, never an exception; library logs and warnings too."""

import logging
import re
import subprocess
import sys
import threading
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qg_telemetry.events import Event, Level, UnforeseenError
from qg_telemetry.library_logs import LibraryLogHandler, level_of
from tests.unit.qg_telemetry.samples import served, written

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJlcnAifQ.c2lnbmF0dXJl"


def test_a_request_is_one_line_with_the_fields_in_order() -> None:
    with written() as out:
        out.log.write(served())
        [line] = out.lines()
    assert list(line)[:4] == ["at", "level", "service", "event"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["at"])
    assert (line["level"], line["service"], line["event"]) == ("info", "test-service", "request_served")
    assert (line["request_id"], line["user"], line["endpoint"], line["method"]) == (
        "r-1",
        "api_key:erp",
        "orders",
        "GET",
    )
    assert (line["client_ip"], line["status"], line["duration_ms"]) == ("10.0.0.7", 200, 3.25)


def test_requests_that_are_told_together_are_the_same_lines() -> None:
    events = [served(request_id="a"), served(path="/api/\n{x"), served(user=None, duration_ms=1e-7)]
    with written() as one_by_one, written() as together:
        for event in events:
            one_by_one.log.write(event)
        together.log.write_all(events)
        expected, found = one_by_one.lines(), together.lines()
    assert len({line["at"] for line in found}) == 1
    assert [line | {"at": ""} for line in found] == [line | {"at": ""} for line in expected]
    assert list(found[1]) == list(expected[1])


def test_one_odd_event_among_many_costs_no_line() -> None:
    with written() as out:
        out.log.write_all([served(), served(row_count=object()), served()])
        assert [line.get("unwritable") is not None for line in out.lines()] == [False, True, False]
    with written(Level.WARNING) as out:
        out.log.write_all([served()])
        assert out.lines() == []


def test_levels_below_the_log_level_are_left_out() -> None:
    with written(Level.WARNING) as out:
        out.log.write(served())
        out.log.write(served(), Level.ERROR)
        assert [line["level"] for line in out.lines()] == ["error"]


def test_a_traceback_is_a_field_of_one_line_and_redacted() -> None:
    trace = f'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: password=hunter2 {JWT}\n'
    with written() as out:
        out.log.write(UnforeseenError(where="gateway", error="ValueError", traceback=trace, request_id="r"))
        raw = out.raw()
    assert raw.count(b"\n") == 1
    assert b"hunter2" not in raw
    assert JWT.encode() not in raw
    assert b"x.py" in raw


class _Odd(Event, frozen=True, kw_only=True):
    """An event whose fields hold what they should not."""

    level: ClassVar[Level] = Level.ERROR
    note: str
    names: tuple[str, ...] = ()
    number: float = 0.0


def test_odd_values_still_give_a_line() -> None:
    with written() as out:
        out.log.write(_Odd(note="a\ud800b", names=("password=x", "b\u2028"), number=float("nan")))
        out.log.write(_Odd(note=object(), number=float("inf")))  # type: ignore[arg-type]  # a bug somewhere else
        first, second = out.lines()
    assert first["note"] == "a\\ud800b"
    assert first["names"] == ["password=[redacted]", "b\\u2028"]
    assert first["number"] is None
    assert second["event"] == "_odd"
    assert "unwritable" in second


@settings(max_examples=60)
@given(st.text(), st.text())
def test_any_text_gives_exactly_one_json_line(path: str, note: str) -> None:
    with written() as out:
        out.log.write(served(path=path))
        out.log.write(_Odd(note=note))
        assert len(out.lines()) == 2


def test_library_logs_become_redacted_events() -> None:
    with written(Level.DEBUG) as out:
        logger = logging.getLogger("some.library")
        logger.propagate = False
        logger.setLevel(logging.DEBUG)
        logger.addHandler(LibraryLogHandler(out.log))
        logger.warning("connecting to %s", "postgresql://u:sekret@h/d")
        logger.info("chatter")
        logger.error("%d", "no number")
        try:
            int("api_key=sekret")
        except ValueError:
            logger.exception("failed")
        logger.handlers.clear()
        lines = out.lines()
    assert [line["level"] for line in lines] == ["warning", "error", "error"]
    assert all(line["event"] == "library_logged" and line["logger"] == "some.library" for line in lines)
    assert "sekret" not in str(lines)
    assert "ValueError" in lines[2]["traceback"]


@pytest.mark.parametrize(
    ("number", "level"),
    [(0, Level.DEBUG), (5, Level.DEBUG), (20, Level.INFO), (25, Level.INFO), (45, Level.ERROR), (99, Level.CRITICAL)],
)
def test_any_number_of_a_library_has_a_level(number: int, level: Level) -> None:
    assert level_of(number) is level


def test_a_process_writes_nothing_but_json_lines() -> None:
    script = """
import json, logging, sys, warnings
logging.basicConfig(); early = logging.getLogger("early"); early.addHandler(logging.StreamHandler(sys.stdout))
from qg_telemetry.observer import make_observer
from qg_telemetry.sink import LineSink
sink = LineSink(1)
observer = make_observer("svc", "info", "off", sink)
early.warning("token=%s", "abc123"); logging.getLogger("late").error("late")
logging.getLogger("sqlalchemy.engine").info("parameters: hunter2")
warnings.warn("old", DeprecationWarning, stacklevel=1)
sink.close()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=True)
    lines = done.stdout.splitlines()
    assert [b'"event":"library_logged"' in line for line in lines] == [True] * len(lines)
    assert [b"early" in line or b"late" in line or b"py.warnings" in line for line in lines] == [True] * 3
    assert done.stderr == b""
    assert b"abc123" not in done.stdout
    assert b"hunter2" not in done.stdout


def test_many_threads_write_whole_lines() -> None:
    with written() as out:

        def write() -> None:
            for _ in range(20):
                out.log.write(served(path="x" * 200))

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(out.lines()) == 80
