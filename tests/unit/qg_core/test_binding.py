"""The compiled binder: what consumers may send, and that every problem is named at once."""

import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qg_core.binding import Binder, compile_binder
from qg_core.errors import InvalidInput
from qg_core.parameters import Parameter, ParameterType


def one(type_: str, **fields: Any) -> Binder:
    return compile_binder({"x": Parameter(type=ParameterType(type_), **fields)})


def problems(binder: Binder, query: bytes) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        binder.bind(query)
    return {problem.field: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("type_", "query", "value"),
    [
        ("string", b"x=abc", "abc"),
        ("string", b"x=a+b%20c", "a b c"),
        ("string", b"x=%C3%A9%F0%9F%9A%80", "é🚀"),
        ("string", "x=é".encode(), "é"),
        ("string", b"x=a=b=c", "a=b=c"),
        ("string", b"x=a;b", "a;b"),
        ("string", b"x=%26%3D%2B", "&=+"),
        ("string", b"&x=1&&", "1"),
        ("string", b"X=1", "1"),
        ("string", b"%78=1", "1"),
        ("integer", b"x=7", 7),
        ("integer", b"x=-0", 0),
        ("integer", b"x=%2D12", -12),
        ("integer", b"x=" + b"9" * 38, int("9" * 38)),
        ("float", b"x=1.5e3", 1500.0),
        ("float", b"x=-.5", -0.5),
        ("float", b"x=1e125", 1e125),
        ("decimal", b"x=-0.1", Decimal("-0.1")),
        ("decimal", b"x=%2B1.50", Decimal("1.50")),
        ("decimal", b"x=1E-130", Decimal("1E-130")),
        ("boolean", b"x=true", 1),
        ("boolean", b"x=False", 0),
        ("boolean", b"x=yes", 1),
        ("boolean", b"x=no", 0),
        ("boolean", b"x=1", 1),
        ("boolean", b"x=0", 0),
        ("date", b"x=1899-12-31", date(1899, 12, 31)),
        ("datetime", b"x=2026-11-21", datetime(2026, 11, 21)),  # noqa: DTZ001  # binds carry no zone
        ("datetime", b"x=2026-11-21T08:15", datetime(2026, 11, 21, 8, 15)),  # noqa: DTZ001  # binds carry no zone
        ("datetime", b"x=2026-11-21+08:15:01.25", datetime(2026, 11, 21, 8, 15, 1, 250_000)),  # noqa: DTZ001  # binds carry no zone
        ("datetime", b"x=2026-11-21T08:15:00Z", datetime(2026, 11, 21, 8, 15)),  # noqa: DTZ001  # binds carry no zone
        ("datetime", b"x=2026-11-21T08:15:00%2B02:00", datetime(2026, 11, 21, 6, 15)),  # noqa: DTZ001  # binds carry no zone
    ],
)
def test_accepts(type_: str, query: bytes, value: object) -> None:
    bound = one(type_).bind(query)
    assert bound == {"x": value}
    assert type(bound["x"]) is type(value)


@pytest.mark.parametrize(
    ("type_", "query"),
    [
        ("string", b"x="),
        ("string", b"x"),
        ("string", b"x=%"),
        ("string", b"x=%4"),
        ("string", b"x=%zz"),
        ("string", b"x=%00"),
        ("string", b"x=a\0b"),
        ("string", b"x=%C0%80"),  # overlong NUL
        ("string", b"x=%ED%A0%80"),  # a lone surrogate
        ("string", b"x=%FF"),
        ("string", b"x=\xff"),
        ("string", b"x=" + b"a" * 4001),
        ("integer", b"x="),
        ("integer", b"x=1.0"),
        ("integer", b"x=1e3"),
        ("integer", b"x=%2B1"),
        ("integer", b"x=1_000"),
        ("integer", b"x=+1"),
        ("integer", b"x=1%0A"),
        ("integer", b"x=%D9%A3"),  # an Arabic digit
        ("integer", b"x=" + b"9" * 39),
        ("integer", b"x=" + b"9" * 3000),
        ("float", b"x=NaN"),
        ("float", b"x=inf"),
        ("float", b"x=-Infinity"),
        ("float", b"x=1e126"),
        ("float", b"x=1e400"),
        ("float", b"x=1e-131"),
        ("float", b"x=1e-999"),
        ("float", b"x=0x10"),
        ("float", b"x=1e1000"),
        ("float", b"x=."),
        ("float", b"x=" + b"1" * 3000),
        ("decimal", b"x=sNaN"),
        ("decimal", b"x=1e126"),
        ("decimal", b"x=9.9e-131"),
        ("decimal", b"x=1" + b"0" * 25 + b".0123456789123"),
        ("decimal", b"x=" + b"1" * 3000),
        ("boolean", b"x=maybe"),
        ("boolean", b"x=2"),
        ("date", b"x=20261121"),
        ("date", b"x=2026-W01-1"),
        ("date", b"x=2026-02-30"),
        ("date", b"x=0000-01-01"),
        ("date", b"x=2026-11-21T00:00:00"),
        ("datetime", b"x=2026-11-21T25:00"),
        ("datetime", b"x=2026-11-21T08:15:60"),
        ("datetime", b"x=2026-11-21T08:15:00.1234567"),
        ("datetime", b"x=0001-01-01T00:00:00%2B10:00"),
        ("datetime", b"x=2026-11-21T08:15:00+02:00"),  # a raw plus is a space
        ("datetime", b"x=tomorrow"),
    ],
)
def test_refuses_and_names_the_parameter(type_: str, query: bytes) -> None:
    assert set(problems(one(type_), query)) == {"x"}


def test_names_every_problem_at_once() -> None:
    binder = compile_binder(
        {
            "a": Parameter(type=ParameterType.INTEGER),
            "b": Parameter(type=ParameterType.DATE),
            "c": Parameter(type=ParameterType.STRING),
            "d": Parameter(type=ParameterType.INTEGER, required=False, default=4),
        }
    )
    found = problems(binder, b"a=x&b=1&b=2&zz=1&d=&%ff=1")
    assert found == {
        "a": "must be a whole number of at most 38 digits",
        "b": "was given more than once",
        "c": "is required",
        "d": "must be a whole number of at most 38 digits",
        "zz": "is not a parameter of this endpoint",
        "%ff": "the name of the parameter is not valid UTF-8",
    }


def test_the_same_name_in_another_case_is_a_repetition() -> None:
    assert problems(one("integer"), b"x=1&X=1") == {"x": "was given more than once"}


def test_an_unknown_name_is_shown_cut() -> None:
    (field,) = problems(one("integer", required=False, default=1), b"y" * 500 + b"=1")
    assert field == "y" * 64


def test_too_many_parameters_are_one_problem() -> None:
    assert set(problems(one("integer"), b"&".join(b"y%d=1" % n for n in range(300)))) == {"query"}


def test_defaults_fill_what_is_missing_and_are_not_shared() -> None:
    binder = compile_binder(
        {
            "n": Parameter(type=ParameterType.DECIMAL, required=False, default="2.50"),
            "since": Parameter(type=ParameterType.DATE, required=False, default="2026-01-01"),
        }
    )
    assert binder.bind(b"") == {"n": Decimal("2.50"), "since": date(2026, 1, 1)}
    assert binder.bind(b"n=1") == {"n": Decimal(1), "since": date(2026, 1, 1)}
    binder.bind(b"")["n"] = 0
    assert binder.bind(b"")["n"] == Decimal("2.50")
    assert binder.defaults_only() == binder.bind(b"")
    assert one("integer").defaults_only() is None


def test_no_parameters() -> None:
    assert compile_binder({}).bind(b"") == {}
    assert set(problems(compile_binder({}), b"x=1")) == {"x"}


def test_empty_text_needs_allow_empty() -> None:
    assert one("string", allow_empty=True).bind(b"x=") == {"x": ""}
    assert one("string", allow_empty=True).bind(b"x") == {"x": ""}
    assert set(problems(one("integer", required=False, default=3), b"x=")) == {"x"}


def test_limits() -> None:
    assert problems(one("integer", minimum=1, maximum=9), b"x=0") == {"x": "must be at least 1"}
    assert problems(one("decimal", maximum="1.5"), b"x=1.51") == {"x": "must be at most 1.5"}
    assert problems(one("date", minimum="2026-01-01"), b"x=2025-12-31") == {"x": "must be at least 2026-01-01"}
    assert problems(one("string", enum=("a", "b")), b"x=c") == {"x": "must be one of a, b"}
    assert one("integer", enum=(1, 2)).bind(b"x=2") == {"x": 2}
    assert one("string", pattern="[A-Z]{2}").bind(b"x=AB") == {"x": "AB"}
    assert set(problems(one("string", pattern="[A-Z]{2}"), b"x=AB%0A")) == {"x"}
    assert set(problems(one("string", pattern="[A-Z]{2}"), b"x=ABC")) == {"x"}
    assert set(problems(one("string", max_length=2), b"x=%C3%A9%C3%A9%C3%A9")) == {"x"}
    assert one("string", max_length=2).bind(b"x=%C3%A9%C3%A9") == {"x": "éé"}


@given(st.binary(max_size=200))
def test_any_bytes_bind_or_are_refused(query: bytes) -> None:
    binder = compile_binder({name: Parameter(type=kind) for name, kind in zip("abcdefg", ParameterType, strict=True)})
    with pytest.raises(InvalidInput):
        binder.bind(query)


@given(st.text(max_size=50))
def test_text_survives_percent_encoding(text: str) -> None:
    from urllib.parse import quote_plus

    binder = one("string", allow_empty=True)
    try:
        query = b"x=" + quote_plus(text).encode()
    except UnicodeEncodeError:
        return
    if "\0" in text:
        assert set(problems(binder, query)) == {"x"}
    else:
        assert binder.bind(query) == {"x": text}


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_floats_stay_in_the_range_of_number(value: float) -> None:
    binder = one("float")
    query = b"x=" + repr(value).replace("+", "%2B").encode()
    fits = math.isfinite(value) and abs(value) < 1e126 and (value == 0 or abs(value) >= 1e-130)
    if fits:
        assert binder.bind(query) == {"x": value}
    else:
        assert set(problems(binder, query)) == {"x"}
