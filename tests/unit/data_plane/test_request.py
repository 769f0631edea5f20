"""Reading a request from the scope: limits, ids, repeated headers."""

from typing import Any

import pytest

from data_plane.requests.access_events import access_events
from data_plane.requests.request import HEADERS_BYTES_MAX, TARGET_BYTES_MAX, Request
from data_plane.requests.visit import Visit
from qg_core.access_events import PATH_LENGTH_MAX
from qg_core.errors import BodyTooLarge, HeadersTooLarge, TargetTooLong

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJlcnAifQ.c2lnbmF0dXJl"


def request(**fields: Any) -> Request:
    scope = {
        "method": "GET",
        "raw_path": b"/api/v1/data/x",
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", "1"),
    }
    return Request({**scope, **fields})


def test_request_ids() -> None:
    assert request(headers=[(b"x-request-id", b"Abc-1._:")]).request_id == "Abc-1._:"
    for bad in (b"", b"a" * 65, b"a b", b"a\n", b"\xff"):
        made = request(headers=[(b"x-request-id", bad)]).request_id
        assert made != bad.decode("latin-1")
        assert len(made) == 32
    twice = request(headers=[(b"x-request-id", b"a"), (b"x-request-id", b"b")])
    assert len(twice.request_id) == 32


def test_repeated_forwarded_for_lines_are_one_list() -> None:
    found = request(headers=[(b"x-forwarded-for", b"1.1.1.1"), (b"x-forwarded-for", b"2.2.2.2")])
    assert found.fields[b"x-forwarded-for"] == b"1.1.1.1, 2.2.2.2"


def test_target_limit() -> None:
    path = b"/api/v1/data/x"
    request(query_string=b"a" * (TARGET_BYTES_MAX - len(path) - 1)).check_limits()
    with pytest.raises(TargetTooLong):
        request(query_string=b"a" * (TARGET_BYTES_MAX - len(path))).check_limits()


def test_headers_limit() -> None:
    request(headers=[(b"x", b"a" * (HEADERS_BYTES_MAX - 5))]).check_limits()
    with pytest.raises(HeadersTooLarge):
        request(headers=[(b"x", b"a" * (HEADERS_BYTES_MAX - 4))]).check_limits()


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", b"1")],
        [(b"content-length", b"10")],
        [(b"content-length", b"0, 1")],
        [(b"transfer-encoding", b"chunked")],
    ],
)
def test_a_body_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(BodyTooLarge):
        request(headers=headers).check_limits()


def test_an_empty_body_is_none() -> None:
    request(headers=[(b"content-length", b"0")]).check_limits()


def test_a_path_from_outside_is_shown_without_secrets_and_controls() -> None:
    visit = Visit(request(raw_path=f"/api/v1/data/{JWT}\x9b31m".encode("latin-1")), "192.0.2.1")
    served = visit.served()
    assert served.path == "/api/v1/data/[redacted]\\u009b31m"
    assert access_events([served], [(0.0, None)], 1, 0.0)[0].path == served.path


def test_no_path_is_shown_longer_than_the_access_log_takes() -> None:
    for raw_path in (b"/" + b"x" * 8_000, b"/" + b"\x9b" * 600):
        served = Visit(request(raw_path=raw_path), "192.0.2.1").served()
        assert len(served.path) == PATH_LENGTH_MAX
