"""Settings from environment variables: read once, every problem reported together.

A service declares its settings as a frozen msgspec Struct and a table of `Variable`s that says, per field, the
variable's name and how its text becomes a value. This module knows no file system: the caller passes how to read a
file for `X_FILE`.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

_DIGITS_MAX = 20
"""No setting is a longer number; `int` refuses very long ones with words of its own."""

SettingsT = TypeVar("SettingsT", bound=msgspec.Struct)


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """One environment variable: where it goes, how its text is read, and what docs/settings.md says of it.

    `parse` raises `ValueError` with a sentence that says what is expected. A variable without `default` is required.
    A `secret` one may also come as `<name>_FILE`, whose file holds the value; its value is never shown in a problem.
    """

    name: str
    field: str
    parse: Callable[[str], Any]
    description: str
    default: str | None = None
    secret: bool = False


class SettingsInvalid(ValueError):
    """One or more variables are missing or wrong; the message lists all of them, one a line, without any secret."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


def read_settings(
    settings_type: type[SettingsT],
    variables: tuple[Variable, ...],
    environ: Mapping[str, str],
    read_file: Callable[[str], str],
) -> SettingsT:
    """Build `settings_type` from `environ`. Raises `SettingsInvalid` with every problem."""
    problems: list[str] = []
    values: dict[str, Any] = {}
    for variable in variables:
        try:
            text = _text_of(variable, environ, read_file)
            values[variable.field] = variable.parse(text)
        except ValueError as error:
            problems.append(f"{variable.name}: {error}")
    if problems:
        raise SettingsInvalid(problems)
    return settings_type(**values)


def _text_of(variable: Variable, environ: Mapping[str, str], read_file: Callable[[str], str]) -> str:
    text = environ.get(variable.name)
    file_name = environ.get(variable.name + "_FILE") if variable.secret else None
    if text is not None and file_name is not None:
        raise ValueError(f"set it or {variable.name}_FILE, not both")
    if file_name is not None:
        try:
            text = read_file(file_name).strip()
        except OSError as error:
            raise ValueError(f"can't read the file of {variable.name}_FILE: {error.strerror}") from None
    if text is None:
        text = variable.default
    if text is None:
        also = f" (or {variable.name}_FILE)" if variable.secret else ""
        raise ValueError(f"is required{also}: {variable.description}")
    return text


def text(value: str) -> str:
    """Any text that is not empty."""
    if not value:
        raise ValueError("must not be empty")
    return value


def boolean(value: str) -> bool:
    """true/false, 1/0, yes/no."""
    lowered = value.strip().lower()
    if lowered in {"true", "1", "yes"}:
        return True
    if lowered in {"false", "0", "no"}:
        return False
    raise ValueError(f"must be true or false, not {value!r}")


def integer(minimum: int, maximum: int) -> Callable[[str], int]:
    """A parser of whole numbers within bounds (both included)."""

    def parse(value: str) -> int:
        digits = value.strip()
        plain = digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS_MAX
        if not plain or not minimum <= int(digits) <= maximum:
            raise ValueError(f"must be a whole number from {minimum} to {maximum}, not {value[:_DIGITS_MAX]!r}")
        return int(digits)

    return parse


def number(minimum: float, maximum: float) -> Callable[[str], float]:
    """A parser of finite numbers within bounds (both included)."""

    def parse(value: str) -> float:
        try:
            found = float(value)
        except ValueError:
            found = float("nan")
        if not minimum <= found <= maximum:
            raise ValueError(f"must be a number from {minimum} to {maximum}, not {value!r}")
        return found

    return parse


def listed(value: str) -> tuple[str, ...]:
    """Comma separated items, blanks dropped; empty text is the empty tuple."""
    return tuple(item.strip() for item in value.split(",") if item.strip())


def one_of(*choices: str) -> Callable[[str], str]:
    """A parser that takes one of `choices`, whatever the case, and gives it as spelled here."""

    def parse(value: str) -> str:
        for choice in choices:
            if value.strip().lower() == choice.lower():
                return choice
        raise ValueError(f"must be one of {', '.join(choices)}, not {value!r}")

    return parse
