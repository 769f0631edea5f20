"""Wrong parameters over HTTP: a 422 that names each, or a 400/414 where no parameter can be read; never a 500."""

import pytest

from tests.e2e.conftest import Standing
from tests.e2e.fleet import get, send_raw

_PARAMETERS = {
    "n": {"type": "integer", "required": False, "default": 1, "minimum": 0},
    "amount": {"type": "decimal", "required": False, "default": "1.5"},
    "ratio": {"type": "float", "required": False, "default": 0.5},
    "text": {"type": "string", "required": False, "default": "a", "max_length": 20},
    "day": {"type": "date", "required": False, "default": "2026-01-01"},
    "at": {"type": "datetime", "required": False, "default": "2026-01-01T00:00:00"},
    "flag": {"type": "boolean", "required": False, "default": True},
    "must": {"type": "integer"},
}
_SQL = "select " + ", ".join(f":{name} as {name}_given" for name in _PARAMETERS) + " from dual"
_TARGET = b"/api/v1/data/typed?"


@pytest.fixture(scope="module")
def typed(standing: Standing) -> Standing:
    standing.admin.endpoint("typed", standing.connection, sql_text=_SQL, param_schema=_PARAMETERS)
    answer = get(standing.node, "typed?must=1", **{"X-QG-Min-Revision": str(standing.admin.revision)})
    assert answer.status_code == 200, answer.text
    return standing


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("", "must"),
        ("must=", "must"),
        ("must=1&must=2", "must"),
        ("must=1&MUST=2", "must"),
        ("must=1&other=2", "other"),
        ("must=1.5", "must"),
        ("must=1e3", "must"),
        ("must=0x10", "must"),
        ("must=%2B1", "must"),
        ("must=" + "9" * 39, "must"),
        ("must=" + "9" * 3_000, "must"),
        ("must=1&n=-1", "n"),
        ("must=1&ratio=NaN", "ratio"),
        ("must=1&ratio=inf", "ratio"),
        ("must=1&ratio=-Infinity", "ratio"),
        ("must=1&amount=NaN", "amount"),
        ("must=1&amount=sNaN", "amount"),
        ("must=1&amount=1e400", "amount"),
        ("must=1&amount=1_000", "amount"),
        ("must=1&text=", "text"),
        ("must=1&text=" + "a" * 21, "text"),
        ("must=1&text=a%00b", "text"),
        ("must=1&text=%ff%fe", "text"),
        ("must=1&text=%ed%a0%80", "text"),
        ("must=1&text=%zz", "text"),
        ("must=1&day=2026-02-30", "day"),
        ("must=1&day=yesterday", "day"),
        ("must=1&at=2026-01-01T25:00:00", "at"),
        ("must=1&flag=maybe", "flag"),
        ("must=%D9%A1", "must"),
    ],
)
def test_it_is_named(typed: Standing, query: str, named: str) -> None:
    answer = get(typed.node, f"typed?{query}")
    assert answer.status_code == 422, answer.text
    assert [problem["field"] for problem in answer.json()["errors"]] == [named]


def test_all_problems_come_at_once(typed: Standing) -> None:
    answer = get(typed.node, "typed?n=x&amount=x&ratio=x&day=x&at=x&flag=x&unknown=1")
    fields = {problem["field"] for problem in answer.json()["errors"]}
    assert fields == {"n", "amount", "ratio", "day", "at", "flag", "unknown", "must"}


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        (_TARGET + b"must=1&text=\xff\xfe", {400, 422}),
        (_TARGET + b"must=1&" + b"text=a&" * 3_000, {414, 422}),
        (_TARGET + b"must=" + b"1" * 9_000, {414}),
        (_TARGET + b"must=1&text=" + b"%41" * 30_000, {414, 431}),
        (_TARGET + b"&&&=&==&", {422}),
        (b"/api/v1/data/typed%2f?must=1", {404}),
        (b"/api/v1/data/TYPED?must=1", {404}),
        (b"/api/v1/data/typed/?must=1", {404}),
        (b"/api/v1/data//typed?must=1", {404}),
        (b"/api/v1/data/../data/typed?must=1", {404}),
        (b"/api/v1/data/t%79ped?must=1", {404}),
    ],
)
def test_hostile_targets(typed: Standing, target: bytes, allowed: set[int]) -> None:
    status, body = send_raw(typed.node, target)
    assert status in allowed, (status, body)


def test_methods_and_bodies(typed: Standing) -> None:
    target = _TARGET + b"must=1"
    assert send_raw(typed.node, target, method=b"POST")[0] == 405
    assert send_raw(typed.node, target, method=b"BREW")[0] == 405
    unknown = [send_raw(typed.node, b"/api/v1/data/nowhere", method=method) for method in (b"GET", b"POST", b"DELETE")]
    assert {status for status, _ in unknown} == {404}, "a wrong method on an unknown path looks like an unknown path"
    assert send_raw(typed.node, target, b"Content-Length: 3\r\n\r\nabc")[0] == 413
    assert send_raw(typed.node, target, b"X-Padding: " + b"a" * 17_000)[0] == 431
    status, body = send_raw(typed.node, target, method=b"HEAD")
    assert (status, body) == (200, b"")
