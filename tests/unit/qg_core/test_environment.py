"""Settings: everything wrong is said at once, nothing secret is repeated."""

import contextlib
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qg_core.environment import (
    SettingsInvalid,
    Variable,
    boolean,
    integer,
    listed,
    number,
    one_of,
    read_settings,
    text,
)


class Sample(msgspec.Struct, frozen=True):
    name: str
    port: int
    key: str
    flags: tuple[str, ...] = ()


VARIABLES = (
    Variable(name="NAME", field="name", parse=text, description="a name."),
    Variable(name="PORT", field="port", parse=integer(1, 65535), default="8080", description="a port."),
    Variable(name="KEY", field="key", parse=text, secret=True, description="a key."),
    Variable(name="FLAGS", field="flags", parse=listed, default="", description="flags."),
)


def no_file(name: str) -> str:
    raise FileNotFoundError(2, "No such file or directory", name)


def problems_of(environ: dict[str, str], read_file: Callable[[str], str] = no_file) -> tuple[str, ...]:
    with pytest.raises(SettingsInvalid) as invalid:
        read_settings(Sample, VARIABLES, environ, read_file)
    assert str(invalid.value) == "\n".join(invalid.value.problems)
    return invalid.value.problems


def test_values_and_defaults() -> None:
    found = read_settings(Sample, VARIABLES, {"NAME": "n", "KEY": "k", "FLAGS": " a, ,b,", "OTHER": "x"}, no_file)
    assert found == Sample(name="n", port=8080, key="k", flags=("a", "b"))


def test_every_problem_is_reported_at_once() -> None:
    problems = problems_of({"PORT": "0"})
    assert [problem.split(":")[0] for problem in problems] == ["NAME", "PORT", "KEY"]
    assert "is required: a name." in problems[0]
    assert "1 to 65535" in problems[1]
    assert "KEY_FILE" in problems[2]


def test_a_secret_may_come_from_a_file() -> None:
    found = read_settings(Sample, VARIABLES, {"NAME": "n", "KEY_FILE": "/k"}, {"/k": "from file\n"}.__getitem__)
    assert found.key == "from file"


def test_only_secrets_come_from_files() -> None:
    assert problems_of({"NAME_FILE": "/n", "KEY": "k"}, lambda _: "x")[0].startswith("NAME: is required")


def test_a_secret_given_twice_or_unreadable_is_a_problem() -> None:
    assert "not both" in problems_of({"NAME": "n", "KEY": "sekret", "KEY_FILE": "/k"})[0]
    [problem] = problems_of({"NAME": "n", "KEY_FILE": "/k"})
    assert "can't read the file of KEY_FILE: No such file" in problem


def test_an_empty_secret_file_is_a_problem() -> None:
    assert "must not be empty" in problems_of({"NAME": "n", "KEY_FILE": "/k"}, lambda _: "\n")[0]


@pytest.mark.parametrize("value", ["", " ", "1.0", "1e3", "-1", "+1", "0x10", "65536", "1_0", "²", "9" * 5000, "٣"])
def test_integers_are_plain_digits_within_bounds(value: str) -> None:
    with pytest.raises(ValueError, match="whole number from 1 to 65535"):
        integer(1, 65535)(value)


@pytest.mark.parametrize("value", ["", "nan", "inf", "-inf", "x", "-0.1", "1.1", "1e400"])
def test_numbers_are_finite_and_within_bounds(value: str) -> None:
    with pytest.raises(ValueError, match="number from 0"):
        number(0.0, 1.0)(value)
    assert number(0.0, 1.0)(" 0.5 ") == 0.5


def test_booleans_and_choices() -> None:
    assert [boolean(value) for value in ("true", "YES", " 1 ", "false", "No", "0")] == [True] * 3 + [False] * 3
    for value in ("", "on", "2", "t"):
        with pytest.raises(ValueError, match="true or false"):
            boolean(value)
    assert one_of("INFO", "DEBUG")(" debug ") == "DEBUG"
    with pytest.raises(ValueError, match="one of INFO, DEBUG"):
        one_of("INFO", "DEBUG")("trace")


@given(st.text(), st.sampled_from([text, boolean, integer(0, 9), number(0, 9), listed, one_of("a")]))
def test_parsers_raise_nothing_but_value_errors(value: str, parse: Callable[[str], object]) -> None:
    with contextlib.suppress(ValueError):
        parse(value)
