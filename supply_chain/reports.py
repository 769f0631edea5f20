"""Reports of scanners, as files that another step has left."""

from pathlib import Path
from typing import TypeVar

import msgspec

from supply_chain.findings import say

ReportT = TypeVar("ReportT")


def read(path: Path, kind: type[ReportT]) -> ReportT:
    """Read a report; one that is missing, empty or no JSON holds no results, which no gate lets pass."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        say(f"{path.name}: {error}")
        return kind()
