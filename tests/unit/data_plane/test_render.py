"""The JSON of a live answer, in the shape of the contract."""

import time
from typing import Any

import msgspec

from data_plane.catalogs.shapes import compile_shape, path_of
from data_plane.requests.render import whole
from qg_core.specs import DataStrategy, EndpointSpec, NumberStyle


class Stream(msgspec.Struct):
    row_count: int
    truncated: bool = False


def endpoint(**fields: Any) -> EndpointSpec:
    values: dict[str, Any] = {
        "format": 1,
        "id": "7a6f1f0e-1111-4222-8333-444455556666",
        "name": "Orders",
        "path": "sales/orders",
        "version": "v1",
        "connection_id": "c",
        "auth_method_id": None,
        "allow_unauthenticated": True,
        "sql_text": "select 1 from dual",
        "parameters": {},
        "column_map": {},
        "data_strategy": DataStrategy.LIVE,
        "numbers": NumberStyle.NUMBER,
        "rows_max": 1000,
        "bytes_max": 1_000_000,
        "timeout_ms": None,
        "concurrency_max": 5,
        "is_deprecated": False,
        "deprecation_note": None,
    }
    return EndpointSpec(**{**values, **fields})


def test_the_shape_of_an_answer() -> None:
    body = whole(compile_shape(endpoint()), [b'{"A":1},{"A":2}', b',{"A":3}'], Stream(3), time.monotonic())
    answer = msgspec.json.decode(body)
    assert answer["data"] == [{"A": 1}, {"A": 2}, {"A": 3}]
    assert list(answer["meta"]) == [
        "row_count",
        "query_duration_ms",
        "endpoint",
        "version",
        "data_strategy",
        "truncated",
    ]
    assert answer["meta"].pop("query_duration_ms") >= 0
    assert answer["meta"] == {
        "row_count": 3,
        "endpoint": "sales/orders",
        "version": "v1",
        "data_strategy": "live",
        "truncated": False,
    }


def test_no_rows() -> None:
    answer = msgspec.json.decode(whole(compile_shape(endpoint()), [b""], Stream(0), time.monotonic()))
    assert answer["data"] == []
    assert answer["meta"]["row_count"] == 0


def test_texts_of_the_endpoint_are_escaped_and_a_cut_is_said() -> None:
    shape = compile_shape(endpoint(version='v"1\n'))
    meta = msgspec.json.decode(whole(shape, [b"{}"], Stream(1, truncated=True), time.monotonic()))["meta"]
    assert meta["version"] == 'v"1\n'
    assert meta["truncated"] is True


def test_the_own_headers_of_an_endpoint() -> None:
    assert compile_shape(endpoint()).headers == ()
    note = "Use  sales/orders2\r\nX-Evil: 1 — 100% sooner"
    headers = dict(compile_shape(endpoint(is_deprecated=True, deprecation_note=note)).headers)
    assert headers[b"deprecation"] == b"true"
    assert headers[b"x-deprecation-note"] == b"Use sales/orders2 X-Evil: 1 %E2%80%94 100%25 sooner"
    assert path_of(endpoint()) == b"/api/v1/data/sales/orders"
