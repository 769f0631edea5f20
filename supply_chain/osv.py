"""`make osv-gate`: judges what osv-scanner found in the tree: what it scanned, what is exploited, what is overdue.

Fails when nothing was scanned (every lock file must be there with all its packages, and the canary must have been
found), for what is critical or known to be exploited at once, and for the rest when it has been known for longer than
its severity allows.
"""

import datetime
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from packaging.utils import canonicalize_name

from supply_chain import accepted, kev, reports
from supply_chain.accepted import AcceptedTable
from supply_chain.findings import Finding, conclude, say
from supply_chain.locks import LOCKS, path_of, pinned

CRITICAL_CVSS_MIN = 9.0
# How long a known vulnerability may stay, by the lowest CVSS score it applies to; unknown scores count as medium.
DAYS_MAX = ((CRITICAL_CVSS_MIN, 0), (7.0, 7), (4.0, 30), (0.0, 90))
_UNKNOWN_CVSS = 4.0


class Group(msgspec.Struct, frozen=True):
    """Ids of one vulnerability in several databases; `max_severity` is a CVSS score in digits, or empty."""

    ids: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    max_severity: str = ""


class Vulnerability(msgspec.Struct, frozen=True):
    """One record; `published` is when it became known."""

    id: str
    published: datetime.datetime | None = None


class Name(msgspec.Struct, frozen=True):
    """Which package."""

    name: str
    version: str = ""
    ecosystem: str = ""


class Package(msgspec.Struct, frozen=True):
    """One package that was scanned, with what is known of it."""

    package: Name
    vulnerabilities: tuple[Vulnerability, ...] = ()
    groups: tuple[Group, ...] = ()


class Source(msgspec.Struct, frozen=True):
    """The file a package was found in."""

    path: str


class Result(msgspec.Struct, frozen=True):
    """One scanned file."""

    source: Source
    packages: tuple[Package, ...] = ()


class Report(msgspec.Struct, frozen=True):
    """What osv-scanner writes with `--format json --all-packages`."""

    results: tuple[Result, ...] = ()


def scanned_findings(report: Report, locks: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """What should have been scanned and was not: `locks` is lock file to name and version of its packages."""
    if not any(result.packages for result in report.results):
        yield Finding("osv", 0, "nothing was audited: the report holds no package")
        return
    for lock, expected in locks.items():
        scanned: dict[str, str] = {
            canonicalize_name(package.package.name): package.package.version
            for result in report.results
            if result.source.path.endswith("/" + lock)
            for package in result.packages
        }
        missing = [name for name, version in expected.items() if scanned.get(name) != version]
        if missing:
            yield Finding(
                lock, 0, f"{len(missing)} of {len(expected)} packages were not scanned: {', '.join(missing[:5])} ..."
            )


def canary_findings(report: Report) -> Iterator[Finding]:
    """A finding unless the canary's vulnerabilities were found."""
    if not any(package.vulnerabilities for result in report.results for package in result.packages):
        yield Finding("supply_chain/canary.list", 0, "nothing was audited: known vulnerabilities were not found")


def vulnerability_findings(
    report: Report, exploited: frozenset[str], table: AcceptedTable, today: datetime.date
) -> Iterator[Finding]:
    """What must be put right now. What still has time is only told."""
    for result in report.results:
        for package in result.packages:
            published = {record.id: record.published for record in package.vulnerabilities}
            for group in package.groups:
                ids = tuple(dict.fromkeys((*group.ids, *group.aliases)))
                what = f"{package.package.name} {package.package.version} has {' / '.join(ids)}"
                if known := exploited.intersection(ids):
                    yield Finding(result.source.path, 0, f"{what}: {', '.join(sorted(known))} is exploited in the wild")
                    continue
                if table.covers(package.package.name, ids, today):
                    continue
                since = [moment.date() for id_ in group.ids if (moment := published.get(id_))]
                age_days = (today - min(since)).days if since else None
                score = _score(group.max_severity)
                allowed_days = next(days for minimum, days in DAYS_MAX if score >= minimum)
                if allowed_days == 0 or age_days is None or age_days > allowed_days:
                    known_for = "an unknown time" if age_days is None else f"{age_days} days"
                    yield Finding(
                        result.source.path, 0, f"{what}: CVSS {score}, known for {known_for}, {allowed_days} allowed"
                    )
                else:
                    say(f"osv: {what}: CVSS {score}, {allowed_days - age_days} days left")


def _score(severity: str) -> float:
    try:
        return float(severity)
    except ValueError:
        return _UNKNOWN_CVSS


def main(arguments: Sequence[str]) -> int:
    """Judge the tree's report, with the canary's report and the catalog of exploited vulnerabilities beside it."""
    tree, canary, catalog = (Path(argument) for argument in arguments)
    today = datetime.datetime.now(datetime.UTC).date()
    exploited, findings = kev.read(catalog, today)
    report = reports.read(tree, Report)
    findings += canary_findings(reports.read(canary, Report))
    findings += scanned_findings(report, {name: pinned(path_of(name)) for name in LOCKS})
    findings += vulnerability_findings(report, exploited, accepted.read(), today)
    count = sum(len(result.packages) for result in report.results)
    return conclude("osv", findings, f"{count} packages in {len(report.results)} files scanned, nothing overdue")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
