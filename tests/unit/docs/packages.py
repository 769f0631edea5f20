"""What is declared, what is locked, and what the installed packages say of themselves."""

import re
import sys
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import msgspec
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from supply_chain.findings import ROOT
from supply_chain.locks import ENVIRONMENTS

DEV_LOCK = ROOT / "requirements-dev.lock"

_ENTRY = re.compile(r"([a-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_NAME_AND_ADDRESS = re.compile(r'(?:"([^"]*)"|([^,<"]+))\s*<')


class Declared(msgspec.Struct, frozen=True, order=True):
    """A direct dependency: canonical name, exact version, extras."""

    name: str
    version: str
    extras: tuple[str, ...]


class Locked(msgspec.Struct, frozen=True):
    """An entry of a lock file."""

    version: str
    sha256: frozenset[str]


def declared() -> dict[str, list[Declared]]:
    """The direct dependencies: `shipped`, each extra, each dependency group."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = document["project"]
    found = {"shipped": project["dependencies"], **project.get("optional-dependencies", {})}
    return {name: _declared(items) for name, items in (found | document["dependency-groups"]).items()}


def _declared(items: list[object]) -> list[Declared]:
    requirements = [Requirement(item) for item in items if isinstance(item, str)]
    for requirement in requirements:
        assert re.fullmatch(r"==[0-9][0-9a-z.]*", str(requirement.specifier)), f"{requirement} is not pinned exactly"
        assert requirement.url is None
    return [
        Declared(canonicalize_name(one.name), str(one.specifier)[2:], tuple(sorted(one.extras))) for one in requirements
    ]


@cache
def locked(lock: Path = DEV_LOCK) -> dict[str, Locked]:
    """What a lock file pins, by canonical name."""
    found: dict[str, Locked] = {}
    for entry in re.split(r"\n(?=[a-z0-9])", lock.read_text(encoding="utf-8").strip()):
        match = _ENTRY.match(entry)
        assert match is not None, f"{lock.name}: {entry.splitlines()[0]}"
        found[canonicalize_name(match[1])] = Locked(match[2], frozenset(_HASH.findall(entry)))
    return found


def brings(package: Declared) -> set[str]:
    """The names of all packages that come with it, from the requirements in the packages' own metadata."""
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [(package.name, frozenset(package.extras))]
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += _needs(*one)
    return {name for name, _ in seen} - {package.name}


def _needs(name: str, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    try:
        requires = metadata.distribution(name).requires or []
    except metadata.PackageNotFoundError:
        return []  # for another Python than this one
    return [
        (canonicalize_name(requirement.name), frozenset(requirement.extras))
        for requirement in map(Requirement, requires)
        if requirement.marker is None
        or any(
            requirement.marker.evaluate({**environment, "extra": extra})
            for environment in ENVIRONMENTS
            for extra in ("", *extras)
        )
    ]


def maintainers(name: str) -> list[str]:
    """The names, without addresses, of authors and maintainers in a package's metadata."""
    said = metadata.distribution(name).metadata
    found: list[str] = []
    for field in ("Author", "Maintainer"):
        found += [person.strip() for value in said.get_all(field, []) for person in value.split(",")]
    for field in ("Author-email", "Maintainer-email"):
        pairs = [match for value in said.get_all(field, []) for match in _NAME_AND_ADDRESS.findall(value)]
        found += [(quoted or plain).strip(" ,") for quoted, plain in pairs]
    return [person for person in dict.fromkeys(found) if person and "@" not in person]


def has_native_code(name: str) -> bool:
    """Whether the installed wheel is for one kind of machine."""
    return any(not tag.endswith("-any") for tag in wheel_tags(name))


def wheel_tags(name: str) -> list[str]:
    """The tags of the wheel that a package was installed from; none for what was not installed from a wheel."""
    wheel = metadata.distribution(name).read_text("WHEEL") or ""
    return [line.removeprefix("Tag: ") for line in wheel.splitlines() if line.startswith("Tag: ")]


def runs_at_start(name: str) -> list[str]:
    """Files of a package that Python runs at every start."""
    return [str(file) for file in metadata.distribution(name).files or [] if str(file).endswith(".pth")]


def figures(package: Declared) -> str:
    """The part of a row of the trust ledger that can be computed; tier and reason are a person's."""
    native = "yes" if has_native_code(package.name) else "no"
    people = ", ".join(maintainers(package.name)) or "not recorded in its metadata"
    return f"| {package.name} | {package.version} | ? | {len(brings(package))} | nothing | {native} | {people} | ? |"


if __name__ == "__main__":
    # `make ledger`: to copy from when a dependency changes.
    for group, packages in declared().items():
        sys.stdout.write(f"{group}\n" + "".join(f"  {figures(package)}\n" for package in sorted(packages)))
