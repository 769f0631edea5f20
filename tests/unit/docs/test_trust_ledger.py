"""The trust ledger says what `pyproject.toml`, the locks and the packages' own metadata say, and nothing is built."""

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name, parse_wheel_filename

from supply_chain.findings import ROOT
from tests.unit.docs.packages import (
    Declared,
    brings,
    declared,
    has_native_code,
    locked,
    maintainers,
    runs_at_start,
    wheel_tags,
)

PAGE = (ROOT / "docs/trust_ledger.md").read_text(encoding="utf-8")
LOCKS = sorted(ROOT.glob("requirements*.lock"))
GROUPS = declared()
ALL = sorted({package for packages in GROUPS.values() for package in packages})

_ROW = re.compile(
    r"^\| (?P<name>[a-z0-9-]+) \| (?P<version>\S+) \| (?P<tier>[123]) \| (?P<brings>\d+) \| (?P<install>[^|]+) "
    r"\| (?P<native>yes|no) \| (?P<maintainers>[^|]+) \| (?P<why>[^|]+) \|$",
    re.MULTILINE,
)
_WHEEL = re.compile(r"^\| ([a-z0-9-]+) \| `(\S+\.whl)` \| `([0-9a-f]{64})` \|$", re.MULTILINE)


def section(title: str) -> str:
    """The text below a heading of the second level."""
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


ROWS = {row["name"]: row for row in _ROW.finditer(PAGE)}
SHIPPED, TRACES, DEVELOPMENT = "Shipped", "Optional: traces", "For development, tests and builds"
SECTIONS = {SHIPPED: ["shipped"], TRACES: ["otel"], DEVELOPMENT: sorted(set(GROUPS) - {"shipped", "otel"})}


@pytest.mark.parametrize("title", SECTIONS)
def test_the_ledger_lists_what_pyproject_declares(title: str) -> None:
    rows = {row["name"]: row["version"] for row in _ROW.finditer(section(title))}
    expected = {package.name: package.version for group in SECTIONS[title] for package in GROUPS[group]}
    assert rows == expected
    tiers = {row["tier"] for row in _ROW.finditer(section(title))}
    assert tiers <= ({"3"} if title == DEVELOPMENT else {"1", "2"})


def test_the_locks_hold_every_direct_dependency_with_hashes() -> None:
    held = {"requirements.lock": ["shipped"], "requirements-otel.lock": ["shipped", "otel"]}
    for lock in LOCKS:
        pinned = locked(lock)
        assert all(entry.sha256 for entry in pinned.values()), lock.name
        for package in [one for group in held.get(lock.name, list(GROUPS)) for one in GROUPS[group]]:
            assert pinned[package.name].version == package.version, f"{lock.name}: {package.name}"
    newest = locked()
    for lock in LOCKS:
        assert locked(lock).items() <= newest.items(), f"{lock.name} has what requirements-dev.lock has not"


@pytest.mark.parametrize("package", ALL, ids=lambda package: package.name)
def test_the_figures_of_a_row_are_those_of_the_package(package: Declared) -> None:
    row = ROWS[package.name]
    assert metadata.version(package.name) == package.version, "the environment is that of the lock: make env"
    with_it = brings(package)
    assert with_it <= set(locked())
    assert int(row["brings"]) == len(with_it)
    assert row["maintainers"] == (", ".join(maintainers(package.name)) or "not recorded in its metadata")
    assert (row["native"] == "yes") == has_native_code(package.name)
    assert len(row["why"]) >= 5


def test_what_is_shipped_and_what_it_brings_is_what_the_lock_holds() -> None:
    names = {package.name for package in GROUPS["shipped"]}
    brought = set().union(*(brings(package) for package in GROUPS["shipped"])) - names
    assert f"{len(names)} packages, which bring {len(brought)} others" in section(SHIPPED)
    # Beside these the lock holds what other systems and versions of Python need.
    assert names | brought <= set(locked(ROOT / "requirements.lock"))


def test_the_hashes_are_of_wheels_and_in_the_lock() -> None:
    found = _WHEEL.findall(section("Wheels"))
    assert [name for name, _, _ in found] == [package.name for package in ALL]
    for name, file, sha256 in found:
        wheel_of, version, _, _ = parse_wheel_filename(file)
        assert (canonicalize_name(wheel_of), str(version)) == (name, ROWS[name]["version"])
        assert sha256 in locked()[name].sha256, name


def test_nothing_of_what_is_installed_was_built_here_or_runs_at_every_start() -> None:
    assert {row["install"] for row in ROWS.values()} == {"nothing"}
    for name in locked():
        try:
            metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another system or another Python
        assert wheel_tags(name), f"{name} did not come as a wheel"
        assert runs_at_start(name) == [], name


def test_locks_are_installed_with_hashes_from_wheels_only() -> None:
    commands = installing([ROOT / "Makefile", *ROOT.glob("make/*.mk"), *ROOT.glob("deploy/**/Dockerfile")])
    commands += installing([ROOT / "docs/installation.md", *ROOT.glob(".github/workflows/*.yml")])
    assert len(commands) >= 4
    assert [one for one in commands if "--require-hashes" not in one or "--only-binary :all:" not in one] == []


def installing(files: list[Path]) -> list[str]:
    """The commands by which pip installs from a file, continued lines joined."""
    texts = [re.sub(r"\\\n\s*", " ", file.read_text(encoding="utf-8")) for file in files]
    return [
        command
        for text in texts
        for command in re.findall(r"pip install[^\n;&]*", text)
        if re.search(r" (-r|--requirement)\b", command)
    ]
