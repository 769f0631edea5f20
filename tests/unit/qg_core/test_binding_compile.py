"""What the compilation of declared parameters refuses; the control plane shows it to the admin."""

from typing import Any

import pytest

from qg_core.binding import compile_binder, parameter_problems
from qg_core.errors import InvalidInput
from qg_core.parameters import Parameter, ParameterType


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"type": "integer", "default": "x", "required": False}, "default"),
        ({"type": "integer", "default": True, "required": False}, "default"),
        ({"type": "integer", "default": 1.5, "required": False}, "default"),
        ({"type": "integer", "default": 10**200, "required": False}, "default"),
        ({"type": "integer", "required": False}, "default"),
        ({"type": "string", "default": "", "required": False}, "default"),
        ({"type": "string", "default": 5, "required": False}, "default"),
        ({"type": "string", "default": "a\0", "required": False}, "default"),
        ({"type": "float", "default": float("nan"), "required": False}, "default"),
        ({"type": "date", "default": "01.02.2026", "required": False}, "default"),
        ({"type": "integer", "default": 10, "maximum": 9, "required": False}, "default"),
        ({"type": "string", "default": "c", "enum": ("a", "b"), "required": False}, "default"),
        ({"type": "string", "default": "c", "pattern": "[ab]", "required": False}, "default"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "maximum"),
        ({"type": "integer", "minimum": "x"}, "minimum"),
        ({"type": "string", "minimum": 1}, "minimum"),
        ({"type": "boolean", "maximum": 1}, "maximum"),
        ({"type": "integer", "enum": (1, "x")}, "enum"),
        ({"type": "integer", "enum": ()}, "enum"),
        ({"type": "string", "pattern": "("}, "pattern"),
        ({"type": "string", "pattern": "a{99999999999}"}, "pattern"),
        ({"type": "integer", "pattern": "[0-9]"}, "pattern"),
        ({"type": "string", "max_length": 0}, "max_length"),
        ({"type": "string", "max_length": 4001}, "max_length"),
    ],
)
def test_contradictions_are_named(fields: dict[str, Any], where: str) -> None:
    fields["type"] = ParameterType(fields["type"])
    found = parameter_problems({"p": Parameter(**fields)})
    assert f"p.{where}" in {problem.field for problem in found}
    with pytest.raises(InvalidInput):
        compile_binder({"p": Parameter(**fields)})


def test_all_contradictions_at_once() -> None:
    found = parameter_problems(
        {
            "a": Parameter(type=ParameterType.INTEGER, minimum="x", maximum="y"),
            "b": Parameter(type=ParameterType.STRING, pattern="["),
        }
    )
    assert [problem.field for problem in found] == ["a.minimum", "a.maximum", "b.pattern"]


def test_a_sound_declaration_has_no_problems() -> None:
    parameters = {
        "a": Parameter(type=ParameterType.FLOAT, required=False, default=1, minimum=0, maximum=2.5),
        "b": Parameter(type=ParameterType.STRING, required=False, default="", allow_empty=True),
        "c": Parameter(type=ParameterType.BOOLEAN, required=False, default=False),
        "d": Parameter(type=ParameterType.DECIMAL, required=False, default="0.10", enum=("0.1", "0.2")),
        "e": Parameter(type=ParameterType.DATETIME, required=False, default="2026-01-01T00:00:00Z"),
    }
    assert parameter_problems(parameters) == ()
    assert set(compile_binder(parameters).bind(b"")) == set("abcde")
