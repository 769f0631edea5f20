"""The rows of docs/security_checklist.md."""

import re
import sys
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


def chosen_tests(prefix: str) -> list[str]:
    """The named tests of the controls whose id begins with `prefix`, each once; those that need Docker left out."""
    chosen = [control for control in controls() if control.id.startswith(prefix)]
    named = dict.fromkeys(test for control in chosen for test in control.tests)
    return [test for test in named if not test.startswith("tests/images/")]


if __name__ == "__main__":
    # `make checklist`: pytest takes these as they are.
    sys.stdout.write(" ".join(chosen_tests(sys.argv[1] if len(sys.argv) > 1 else "C")) + "\n")
