"""What the lock files pin: the packages and versions that an audit has to have looked at."""

from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from supply_chain.findings import ROOT

_FOLDERS = ("deploy", "helm", "supply_chain")

# Found, not listed: what is shipped, with or without extras, what development needs, and what builds and checks run on.
LOCKS = tuple(
    str(path.relative_to(ROOT))
    for path in sorted([*ROOT.glob("*.lock"), *(path for name in _FOLDERS for path in (ROOT / name).rglob("*.lock"))])
)
_LINUX = {
    "os_name": "posix",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}
ENVIRONMENTS = [
    {**_LINUX, "python_version": python, "python_full_version": f"{python}.9"} for python in ("3.11", "3.12", "3.13")
]
"""Where the gateway may run, as environment markers know it."""


def pinned(lock: Path) -> dict[str, str]:
    """Canonical name to version of everything in a lock file, whatever its environment markers."""
    return {canonicalize_name(requirement.name): _version(requirement) for requirement in _requirements(lock)}


def applicable(lock: Path) -> dict[str, str]:
    """As `pinned`, but only what is installed on this platform and Python: what pip-audit looks at here."""
    return {
        canonicalize_name(requirement.name): _version(requirement)
        for requirement in _requirements(lock)
        if requirement.marker is None or requirement.marker.evaluate()
    }


def in_every_image(lock: Path) -> dict[str, str]:
    """As `pinned`, but only what is installed on Linux whichever of our Pythons the base image has."""
    return {
        canonicalize_name(requirement.name): _version(requirement)
        for requirement in _requirements(lock)
        if requirement.marker is None or all(requirement.marker.evaluate(image) for image in ENVIRONMENTS)
    }


def path_of(name: str) -> Path:
    """Where a lock file of LOCKS is."""
    return ROOT / name


def _requirements(lock: Path) -> list[Requirement]:
    joined = lock.read_text().replace("\\\n", " ")
    lines = (line.partition("--hash=")[0].strip() for line in joined.splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def _version(requirement: Requirement) -> str:
    (only,) = requirement.specifier
    return only.version
