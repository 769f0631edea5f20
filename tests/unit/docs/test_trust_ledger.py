"""The list of direct dependencies says what `pyproject.toml` says, and the locks hold them with hashes."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
_ROW = re.compile(r"^\| ([a-z0-9-]+) \| ([0-9.]+) \| [^|]+ \|", re.MULTILINE)
_REQUIREMENT = re.compile(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==([0-9.]+)")


def declared(requirements: list[object]) -> dict[str, str]:
    found = [_REQUIREMENT.match(item) for item in requirements if isinstance(item, str)]
    assert all(found), "every direct dependency is pinned exactly"
    return {match[1]: match[2] for match in found if match}


def test_the_ledger_lists_what_pyproject_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    shipped, development = (ROOT / "docs/trust_ledger.md").read_text().split("## For development")
    assert dict(_ROW.findall(shipped)) == declared(project["project"]["dependencies"])
    assert dict(_ROW.findall(development)) == declared([*groups["stack"], *groups["dev"]])


def test_the_locks_hold_every_direct_dependency_with_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for lock in ("requirements.lock", "requirements-dev.lock"):
        entries = re.split(r"\n(?=[a-z])", (ROOT / lock).read_text().strip())
        assert all("--hash=sha256:" in entry for entry in entries)
        pinned = {match[1]: match[2] for entry in entries if (match := _REQUIREMENT.match(entry))}
        assert declared(project["project"]["dependencies"]).items() <= pinned.items()
