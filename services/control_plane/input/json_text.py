"""JSON text into plain values, within limits: size, depth, characters that Postgres or a terminal can't take."""

import re

import msgspec

from qg_core.errors import FieldProblem, InvalidInput

DEPTH_MAX = 16
"""Nesting no body of this API comes near."""

PROBLEMS_MAX = 50
"""Enough to repair a body by; more would answer a hostile one at length."""

_REFUSED_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

JsonValue = dict[str, "JsonValue"] | list["JsonValue"] | str | int | float | bool | None


def decode_json(body: bytes) -> JsonValue:
    """The value of a JSON text. Raises `InvalidInput`, whatever the bytes are."""
    try:
        value: JsonValue = msgspec.json.decode(body)
    except RecursionError:
        raise InvalidInput([FieldProblem("body", f"nests deeper than {DEPTH_MAX} levels")]) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        raise InvalidInput([FieldProblem("body", "is not valid JSON in UTF-8")]) from None
    problems: list[FieldProblem] = []
    _look(value, "", 1, problems)
    if problems:
        raise InvalidInput(problems)
    return value


def character_problem(text: str) -> str | None:
    """What is wrong with the characters of `text`: control characters but tab and line ends, lone surrogates."""
    if _REFUSED_CHARACTERS.search(text) is not None:
        return "may not hold control characters (such as NUL) other than tab and line ends"
    return None


def _look(value: JsonValue, path: str, depth: int, problems: list[FieldProblem]) -> None:
    if len(problems) >= PROBLEMS_MAX:
        return
    if depth > DEPTH_MAX:
        problems.append(FieldProblem(path or "body", f"nests deeper than {DEPTH_MAX} levels"))
    elif isinstance(value, str):
        if wrong := character_problem(value):
            problems.append(FieldProblem(path or "body", wrong))
    elif isinstance(value, dict):
        for key, item in value.items():
            if len(problems) >= PROBLEMS_MAX:
                return
            if wrong := character_problem(key):
                problems.append(FieldProblem(path or "body", f"a field's name {wrong}"))
            else:
                _look(item, f"{path}.{shown(key)}" if path else shown(key), depth + 1, problems)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _look(item, f"{path}.{index}" if path else str(index), depth + 1, problems)


def shown(key: str) -> str:
    """A caller's field name, cut so that an error stays readable."""
    return key if len(key) <= 64 else key[:61] + "..."
