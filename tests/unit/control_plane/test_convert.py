"""The collecting conversion: every problem at once, each with its dotted path, and nothing lenient."""

import contextlib
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Struct, UnsetType

from control_plane.input.convert import convert
from control_plane.input.json_text import PROBLEMS_MAX, decode_json
from control_plane.input.kinds import Moment, Name, row_id, uuid_or_none
from qg_core.errors import FieldProblem, InvalidInput
from qg_core.parameters import Parameter


class Inner(Struct, forbid_unknown_fields=True):
    x: int


class Sample(Struct, kw_only=True):
    name: Name
    count: Annotated[int, Meta(ge=1, le=5)] = 1
    note: Annotated[str, Meta(max_length=3)] | UnsetType | None = UNSET
    parameters: Annotated[dict[Annotated[str, Meta(max_length=5)], Parameter], Meta(max_length=3)] = {}
    renamed: Annotated[dict[str, Name], Meta(max_length=2)] | UnsetType = UNSET
    inner: Inner | None = None
    flag: bool = False
    at: Moment | None = None


def fields_of(text: bytes) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        convert(decode_json(text), Sample)
    return {problem.field: problem.message for problem in caught.value.problems}


def test_what_is_right_arrives() -> None:
    made = convert(
        decode_json(
            b'{"name": "a b", "count": 5, "note": null, "parameters": {"p": {"type": "integer"}}, "inner": {"x": 1},'
            b' "renamed": {"A": "b"}, "at": "2026-01-01T00:00:00Z"}'
        ),
        Sample,
    )
    assert (made.name, made.count, made.note, made.inner) == ("a b", 5, None, Inner(1))
    assert list(made.parameters) == ["p"]
    assert convert({"name": "x"}, Sample).note is UNSET


def test_every_problem_at_once_with_its_path() -> None:
    found = fields_of(
        b'{"name": " ", "count": true, "note": "long", "what": 1, "flag": "true", "at": "2026-01-01T00:00:00",'
        b' "inner": {"x": "1", "y": 2}, "renamed": {"A": 5},'
        b' "parameters": {"p": {"type": "foo", "zz": 1}, "toolong": {"type": "date"}, "q": []}}'
    )
    assert set(found) == {
        "name", "count", "note", "what", "flag", "at", "inner.x", "inner.y", "renamed.A", "parameters.p.type",
        "parameters.p.zz", "parameters.toolong", "parameters.q",
    }  # fmt: skip
    assert found["name"] == "must be one line, not blank"
    assert found["note"] == "must be a string of length <= 3"


@pytest.mark.parametrize(
    "text",
    [b'{"name": "a\\nb"}', b'{"name": "a\\n"}', b'{"name": "\\t"}', b'{"name": ""}', b'{"name": null}', b'{"name": 1}'],
)
def test_names_are_one_line(text: bytes) -> None:
    assert set(fields_of(text)) == {"name"}


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (b'{"name": "\\u0000"}', "name"),
        (b'{"name": "\\u001b[31m"}', "name"),
        (b'{"inner": {"x": "\\u0007"}}', "inner.x"),
        (b'{"\\u0000": 1}', "body"),
        (b"[" * 17 + b"]" * 17, "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"),
        (b"[" * 5_000 + b"]" * 5_000, "body"),
        (b'{"name": "\\ud800"}', "body"),
        (b"\xff", "body"),
        (b"1" * 5_000, "body"),
        (b"", "body"),
    ],
)
def test_text_that_is_refused_before_it_is_looked_at(text: bytes, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_json(text)
    assert [problem.field for problem in caught.value.problems] == [field]


def test_too_many_entries_and_too_many_problems() -> None:
    many = msgspec.json.encode({"name": "x", "renamed": {"a": "b", "c": "d", "e": "f"}})
    assert set(fields_of(many)) == {"renamed"}
    unknown = msgspec.json.encode({"name": "x"} | {f"f{number}": 1 for number in range(200)})
    assert len(fields_of(unknown)) == PROBLEMS_MAX
    long_name = msgspec.json.encode({"name": "x", "y" * 10_000: 1})
    assert max(len(field) for field in fields_of(long_name)) <= 64


def test_ids_are_uuids_in_their_usual_form() -> None:
    plain = "c0ffee00-1234-4abc-8def-0123456789ab"
    assert row_id(plain.upper()) == plain
    for wrong in ("", "x", plain.replace("-", ""), "{" + plain + "}", "urn:uuid:" + plain, plain + "\n", plain[:-1]):
        assert uuid_or_none(wrong) is None
        with pytest.raises(InvalidInput):
            row_id(wrong, "some_id")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=20,
)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_refusal(body: bytes) -> None:
    with contextlib.suppress(InvalidInput):
        decode_json(body)


_FIELDS = ("name", "count", "note", "parameters", "renamed", "inner", "flag", "at", "something")


def problems_in(value: dict[str, Any]) -> tuple[FieldProblem, ...]:
    try:
        made = convert(value, Sample)
    except InvalidInput as error:
        return error.problems or (FieldProblem("", ""),)
    assert msgspec.convert(msgspec.to_builtins(made), Sample) == made
    return ()


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(_FIELDS, _JSON)))
def test_any_value_is_converted_or_refused_with_a_reason(value: dict[str, Any]) -> None:
    assert all(problem.field and problem.message for problem in problems_in(value))
