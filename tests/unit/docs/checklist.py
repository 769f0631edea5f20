"""The rows of docs/security_checklist.md."""

import re
from pathlib import Path
from typing import NamedTuple

CHECKLIST = Path(__file__).resolve().parents[3] / "docs" / "security_checklist.md"

_ROW = re.compile(r"^\| (?P<id>[^|]+) \| (?P<control>[^|]+) \| (?P<places>[^|]+) \| (?P<tests>[^|]*) \|$", re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")


class Control(NamedTuple):
    """One row of the checklist."""

    id: str
    text: str
    places: tuple[str, ...]
    tests: tuple[str, ...]


def controls_of(text: str) -> list[Control]:
    """The rows of all tables, in order; heads and rules left out."""
    rows = [match for match in _ROW.finditer(text) if match["id"] != "id" and not match["id"].startswith("-")]
    return [
        Control(row["id"], row["control"], tuple(_CODE.findall(row["places"])), tuple(_CODE.findall(row["tests"])))
        for row in rows
    ]


def controls() -> list[Control]:
    """The controls that the page lists."""
    return controls_of(CHECKLIST.read_text(encoding="utf-8"))
