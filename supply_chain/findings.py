"""What a check has to say: where, and what is wrong there. Every check of this package returns these and prints none.

Standard library only, as in place.py and release.py: the jobs that push and sign install no package.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Finding(NamedTuple):
    """One thing to put right: the file (relative to the root), its line (0: the whole file), what is wrong."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.message}"


def say(text: str) -> None:
    """One line for whoever runs a check."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def conclude(name: str, findings: Sequence[Finding], all_well: str) -> int:
    """Print the findings, or that all is well; the exit status of the check `name`: 1 when there are findings."""
    for finding in sorted(findings):
        say(str(finding))
    if findings:
        say(f"{name}: {len(findings)} to put right")
        return 1
    say(f"{name}: {all_well}")
    return 0
