"""What callers send does not become the name of a span."""

import pytest

from qg_telemetry.traces import known_method, request_name


@pytest.mark.parametrize(("method", "name"), [("GET", "GET /x"), ("get", "HTTP /x"), ("INVENTED1", "HTTP /x")])
def test_a_span_is_named_by_a_method_that_there_is(method: str, name: str) -> None:
    assert request_name(method, "/x") == name


def test_an_invented_method_is_none() -> None:
    assert known_method("INVENTED1") == "_OTHER"
    assert known_method("HEAD") == "HEAD"
