"""Events are checked one by one: what can be stored is made storable, what can't takes nothing else along."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from qg_bundle.access.codec import Batch, make_header
from qg_store.models.access_log import DEAD_LETTER_BYTES_MAX
from qg_store.repositories.access_log import AccessRow
from worker.access_log.checking import CheckedBatch, check
from worker.access_log.dead_letters import of_entry
from worker.access_log.spans import Span

LOG = "ab" * 16
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ID = "0b0e7f9e-6a0c-4d5f-9d55-3c1d7a3c9f10"


def line(sequence: Any, **changes: Any) -> bytes:
    fields = {
        "at": NOW.timestamp(),
        "request_id": "r-1",
        "endpoint_id": ID,
        "path": "/api/v1/data/orders",
        "method": "GET",
        "principal": "api_key:erp",
        "auth_method_id": ID,
        "credential_id": ID,
        "remote_ip": "10.0.0.7",
        "status": 200,
        "duration_ms": 3.5,
        "row_count": 10,
        "bytes": 120,
        "revision": 7,
    }
    assert set(changes) <= set(fields)
    return json.dumps([sequence, *{**fields, **changes}.values()]).encode()


def checked(lines: Sequence[bytes], *, first: int = 1, last: int | None = None, base: int = 1) -> CheckedBatch:
    end = last if last is not None else first + len(lines) - 1
    return check(Batch(make_header(LOG, "node-1", base=base, first=first, last=end, lines=lines), list(lines)), NOW)


def only_row(**changes: Any) -> AccessRow:
    found = checked([line(1, **changes)])
    assert not found.dead
    return found.events[0].row


def test_an_event_becomes_a_row() -> None:
    row = only_row()
    assert (row.event_id, row.node, row.at) == (f"{LOG}.1", "node-1", NOW)
    assert (row.endpoint_id, row.auth_method_id, row.credential_id) == (ID, ID, ID)
    assert (row.status, row.duration_ms, row.row_count, row.bytes, row.revision) == (200, 3.5, 10, 120, 7)


@pytest.mark.parametrize("field", ["request_id", "path", "method", "principal", "remote_ip"])
@pytest.mark.parametrize(
    ("sent", "kept"),
    [("a\0b", "a\ufffdb"), ("a\ud800b", "a\ufffdb"), ("\udfff\0", "\ufffd\ufffd"), ("ä\U0001f600", "ä\U0001f600")],
)
def test_text_that_postgres_does_not_take_is_replaced(field: str, sent: str, kept: str) -> None:
    assert getattr(only_row(**{field: sent}), field) == kept


@pytest.mark.parametrize(
    ("field", "length_max"),
    [("request_id", 64), ("path", 512), ("method", 16), ("principal", 255), ("remote_ip", 64)],
)
@pytest.mark.parametrize("length", [600, 100_000])
def test_text_that_is_too_long_is_cut(field: str, length_max: int, length: int) -> None:
    assert getattr(only_row(**{field: "x" * length}), field) == "x" * length_max


@pytest.mark.parametrize("field", ["endpoint_id", "auth_method_id", "credential_id"])
@pytest.mark.parametrize("sent", ["no-uuid", "\0", "", "x" * 5_000])
def test_an_id_of_nothing_is_no_id(field: str, sent: str) -> None:
    assert getattr(only_row(**{field: sent}), field) is None


def test_bytes_that_are_no_text_are_replaced() -> None:
    found = checked([line(1, path="/a-b").replace(b"/a-b", b"/a\xffb")])
    assert found.events[0].row.path == "/a\ufffdb"


@pytest.mark.parametrize(
    ("field", "sent", "kept"),
    [
        ("bytes", 10**30, 2**63 - 1),
        ("bytes", -5, 0),
        ("row_count", 10**300, 2**63 - 1),
        ("revision", -(10**30), 0),
        ("status", 10**12, 2**31 - 1),
        ("duration_ms", 1e300, 1e12),
        ("duration_ms", -1.0, 0.0),
        ("duration_ms", float("nan"), 0.0),
        ("duration_ms", float("inf"), 1e12),
    ],
)
def test_numbers_out_of_range_are_clamped(field: str, sent: float, kept: float) -> None:
    assert getattr(only_row(**{field: sent}), field) == kept


@pytest.mark.parametrize("days", [-400, 400, 3_000, -9_000])
def test_a_time_that_is_days_off_is_kept(days: int) -> None:
    at = NOW + timedelta(days=days)
    assert only_row(at=at.timestamp()).at == at


@pytest.mark.parametrize(
    "changes",
    [
        {"at": -1.0},
        {"at": 1e300},
        {"at": float("nan")},
        {"at": float("inf")},
        {"at": 10**400},
        {"at": (NOW + timedelta(days=4_000)).timestamp()},
        {"at": "yesterday"},
        {"status": "200"},
        {"status": 200.5},
        {"status": None},
        {"path": None},
        {"path": ["x"]},
    ],
    ids=str,
)
def test_what_can_not_be_stored_is_alone_in_the_dead_letters(changes: dict[str, Any]) -> None:
    bad = line(2, **changes)
    found = checked([line(1), bad, line(3)])
    assert [event.sequence for event in found.events] == [1, 3]
    assert [letter.log_id for letter in found.dead] == [LOG]
    assert found.dead[0].body == bad[:DEAD_LETTER_BYTES_MAX]
    assert found.settled == Span(1, 3)
    assert found.absent == []


@pytest.mark.parametrize(
    "bad", [b"", b"{}", b"[]", b"\xff\xfe", b"[" * 8_000, b"[1", b"9" * 5_000, line(1)[:-1] + b",8,9]", b"null"]
)
def test_a_line_that_is_no_event_is_alone_in_the_dead_letters(bad: bytes) -> None:
    found = checked([line(5), bad, line(7)], first=5)
    assert [event.sequence for event in found.events] == [5, 7]
    assert [letter.reason for letter in found.dead] == ["not_an_event"]
    assert found.absent == []


def test_an_event_of_another_place_is_refused() -> None:
    found = checked([line(1), line(99), line(0)])
    assert [event.sequence for event in found.events] == [1]
    assert [letter.reason for letter in found.dead] == ["not_an_event", "not_an_event"]


def test_numbers_between_lines_are_absent() -> None:
    found = checked([line(1), line(4), b"?", line(9)], last=10)
    # 2, 3, 5 to 8 and 10 have no line, but one of them was the line that can't be read.
    assert found.absent == [Span(3, 3), Span(5, 8), Span(10, 10)]


def test_a_batch_without_lines_settles_nothing_itself() -> None:
    found = checked([], first=8, last=7, base=8)
    assert (found.events, found.dead, found.absent, found.base) == ([], [], [], 8)


def test_a_dead_letter_of_an_entry_is_bounded() -> None:
    letter = of_entry({b"h": b"x" * 100_000, b"n" * 1_000: b"y" * 100_000}, "tag_invalid", "...")
    assert len(letter.body) == DEAD_LETTER_BYTES_MAX
    assert letter.log_id is None
