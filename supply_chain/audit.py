"""`make audit`: pip-audit over every lock file, judged by what it looked at and not by its exit status alone.

Where no vulnerability data can be had, pip-audit can end well having looked nothing up. So a canary is audited first,
an old release with known vulnerabilities, which is never installed: an audit that finds nothing in it has looked at
nothing. And every package of a lock must be in its report, without a reason for having been skipped.
"""

import datetime
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from packaging.utils import canonicalize_name

from supply_chain import accepted
from supply_chain.accepted import AcceptedTable
from supply_chain.findings import ROOT, Finding, conclude, say
from supply_chain.locks import LOCKS, applicable, path_of

CANARY = Path(__file__).with_name("canary.list")
_TIMEOUT_S = 900
_NOTHING = "nothing was audited"


class Vulnerability(msgspec.Struct, frozen=True):
    """One known vulnerability as pip-audit reports it."""

    id: str
    aliases: tuple[str, ...] = ()
    fix_versions: tuple[str, ...] = ()


class Dependency(msgspec.Struct, frozen=True):
    """One package of a report; `skip_reason` says why nothing was looked up for it."""

    name: str
    version: str = ""
    vulns: tuple[Vulnerability, ...] = ()
    skip_reason: str = ""


class Report(msgspec.Struct, frozen=True):
    """What pip-audit writes with `--format json`."""

    dependencies: tuple[Dependency, ...]


def canary_findings(report: bytes) -> list[Finding]:
    """A finding unless the vulnerabilities of the canary were found: then the audits beside it mean something."""
    name = str(CANARY.relative_to(ROOT))
    try:
        dependencies = msgspec.json.decode(report, type=Report).dependencies
    except msgspec.DecodeError:
        return [Finding(name, 0, f"{_NOTHING}: pip-audit wrote no report, and says why above")]
    if not any(dependency.vulns for dependency in dependencies):
        reasons = "; ".join(sorted({dependency.skip_reason for dependency in dependencies if dependency.skip_reason}))
        return [
            Finding(
                name,
                0,
                f"{_NOTHING}: known vulnerabilities were not found, no data behind it ({reasons or 'no reason given'})",
            )
        ]
    return []


def lock_findings(
    name: str, expected: dict[str, str], report: bytes, table: AcceptedTable, today: datetime.date
) -> Iterator[Finding]:
    """What a report says of the lock `name`, which pins `expected`: what was not looked at, and what is vulnerable."""
    try:
        dependencies = msgspec.json.decode(report, type=Report).dependencies
    except msgspec.DecodeError:
        yield Finding(name, 0, f"{_NOTHING}: pip-audit wrote no report, and says why above")
        return
    looked_at: dict[str, Dependency] = {
        canonicalize_name(dependency.name): dependency for dependency in dependencies if not dependency.skip_reason
    }
    if not looked_at:
        yield Finding(name, 0, f"{_NOTHING}: no package of {len(expected)} was looked up")
        return
    skipped: dict[str, str] = {
        canonicalize_name(dependency.name): dependency.skip_reason for dependency in dependencies
    }
    for package, version in sorted(expected.items()):
        dependency = looked_at.get(package)
        if dependency is None or dependency.version != version:
            reason = skipped.get(package) or "not in the report"
            yield Finding(name, 0, f"{package} {version} was not audited: {reason}")
            continue
        for vulnerability in dependency.vulns:
            ids = (vulnerability.id, *vulnerability.aliases)
            if not table.covers(package, ids, today):
                fixed = ", ".join(vulnerability.fix_versions) or "no version yet"
                yield Finding(name, 0, f"{package} {version} has {' / '.join(ids)}, fixed in {fixed}")


def run(pip_audit: Path, arguments: Sequence[str], report: Path) -> bytes:
    """Let pip-audit write `report`; its bytes, or none when it wrote none. Its own complaints go to the terminal."""
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    options = ("--strict", "--disable-pip", "--progress-spinner", "off", "--format", "json", "--output", str(report))
    subprocess.run([pip_audit, *options, *arguments], check=False, timeout=_TIMEOUT_S)  # noqa: S603 - our own venv
    return report.read_bytes() if report.exists() else b""


def main(arguments: Sequence[str]) -> int:
    """Audit every lock with the pip-audit named; its reports are kept in the folder named."""
    pip_audit, folder = Path(arguments[0]), Path(arguments[1])
    say("audit: the canary, whose vulnerabilities must be found")
    findings = canary_findings(run(pip_audit, ["--no-deps", "-r", str(CANARY)], folder / "canary.json"))
    table, today = accepted.read(), datetime.datetime.now(datetime.UTC).date()
    count = 0
    for name in LOCKS:
        expected = applicable(path_of(name))
        count += len(expected)
        say(f"audit: {name}, {len(expected)} packages")
        arguments_for = ["--require-hashes", "-r", str(path_of(name))]
        report = run(pip_audit, arguments_for, folder / f"{Path(name).stem}.json")
        findings += lock_findings(name, expected, report, table, today)
    return conclude("audit", findings, f"{count} packages of {len(LOCKS)} locks audited, nothing found")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
