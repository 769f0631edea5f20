"""Finds `:name` in Oracle SQL as the driver does: not in strings, quoted names or comments."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SKIP_OR_BIND = re.compile(
    r"""
      [nN]?[qQ]'(?:\[.*?\]'|\(.*?\)'|\{.*?\}'|<.*?>'|(?P<mark>[^\s\[({<]).*?(?P=mark)')
    | '(?:[^']|'')*'
    | "(?:[^"])*"
    | --[^\n]*
    | /\*.*?\*/
    | \b(?P<conversion>to_(?:char|date|timestamp))(?=\s*\()
    | :\s*(?P<bind>"[^"]+"|[^\W\d][\w$\#]*|\d+)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Bound:
    """A statement whose placeholders were renamed to `:qgb1`, `:qgb2`, ...

    TO_CHAR, TO_DATE and TO_TIMESTAMP became `qg_to_char` and so on: the parser translates the format models
    of those it knows, and loses what it does not understand.
    """

    sql: str
    parameters: tuple[str, ...]
    """For each occurrence in the text the parameter that stands there now."""


def placeholder_offsets(sql: str) -> list[int]:
    return [found.start() for found in _SKIP_OR_BIND.finditer(sql) if found["bind"]]


def rename_placeholders(sql: str) -> Bound:
    """Give every bind name a plain one; a positional bind gets one per occurrence."""
    names: dict[str, str] = {}
    parameters: list[str] = []

    def rename(found: re.Match[str]) -> str:
        bind = found["bind"]
        if bind is None:
            return f"qg_{found[0]}" if found["conversion"] else found[0]
        key = f"{bind} {found.start()}" if bind[0].isdigit() else bind.upper() if bind[0] != '"' else bind
        name = names.setdefault(key, f"qgb{len(names) + 1}")
        parameters.append(name)
        return f" :{name} "

    renamed = _SKIP_OR_BIND.sub(rename, sql)
    return Bound(renamed, tuple(parameters))
