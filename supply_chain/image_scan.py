"""`make image-gate`: judges what Trivy found in the image: what it saw, what is exploited, what has a fix, secrets.

Fails when Trivy saw no packages of the operating system, or not every Python package of requirements.lock: then it
looked at something else. Fails for whatever is critical, known to be exploited, or high with a fix to be had, unless it
was accepted (never what is exploited); and for every secret in a layer.
"""

import datetime
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from packaging.utils import canonicalize_name

from supply_chain import accepted, kev, reports
from supply_chain.accepted import AcceptedTable
from supply_chain.findings import Finding, conclude
from supply_chain.locks import in_every_image, path_of

_IMAGE = "image"


class Package(msgspec.Struct, frozen=True, rename="pascal"):
    """One package that Trivy saw."""

    name: str
    version: str = ""


class Vulnerability(msgspec.Struct, frozen=True):
    """One known vulnerability; `fixed` is empty when there is no fix yet."""

    id: str = msgspec.field(name="VulnerabilityID")
    package: str = msgspec.field(name="PkgName")
    installed: str = msgspec.field(name="InstalledVersion", default="")
    fixed: str = msgspec.field(name="FixedVersion", default="")
    severity: str = msgspec.field(name="Severity", default="UNKNOWN")


class Secret(msgspec.Struct, frozen=True):
    """Something that looks like a secret."""

    rule: str = msgspec.field(name="RuleID")
    title: str = msgspec.field(name="Title", default="")


class Result(msgspec.Struct, frozen=True, rename="pascal"):
    """What was found in one place of the image; `class_` says of which kind the place is."""

    target: str
    class_: str = msgspec.field(name="Class", default="")
    packages: tuple[Package, ...] = ()
    vulnerabilities: tuple[Vulnerability, ...] = ()
    secrets: tuple[Secret, ...] = ()


class Report(msgspec.Struct, frozen=True, rename="pascal"):
    """What Trivy writes with `--format json --list-all-pkgs`."""

    results: tuple[Result, ...] = ()


def scanned_findings(report: Report, expected: Mapping[str, str]) -> Iterator[Finding]:
    """What should be in the image and was not seen there: `expected` is name to version of Python packages."""
    if not any(result.class_ == "os-pkgs" and result.packages for result in report.results):
        yield Finding(_IMAGE, 0, "nothing was scanned: the report holds no package of the operating system")
    seen: dict[str, str] = {
        canonicalize_name(package.name): package.version
        for result in report.results
        if result.class_ == "lang-pkgs"
        for package in result.packages
    }
    missing = [name for name, version in expected.items() if seen.get(name) != version]
    if missing:
        some = ", ".join(missing[:5])
        yield Finding(_IMAGE, 0, f"{len(missing)} of {len(expected)} packages were not scanned: {some}")


def vulnerability_findings(
    report: Report, exploited: frozenset[str], table: AcceptedTable, today: datetime.date
) -> Iterator[Finding]:
    """What keeps the image from being released."""
    for result in report.results:
        for secret in result.secrets:
            yield Finding(result.target, 0, f"looks like a secret: {secret.rule} {secret.title}".rstrip())
        for found in result.vulnerabilities:
            what = f"{found.package} {found.installed} has {found.id}"
            if found.id in exploited:
                yield Finding(result.target, 0, f"{what}, which is exploited in the wild")
            elif table.covers(found.package, [found.id], today):
                continue
            elif found.severity == "CRITICAL" or (found.severity == "HIGH" and found.fixed):
                yield Finding(result.target, 0, f"{what}, {found.severity}, fixed in {found.fixed or 'no version yet'}")


def main(arguments: Sequence[str]) -> int:
    """Judge a report with the catalog of exploited vulnerabilities beside it."""
    report_path, catalog = (Path(argument) for argument in arguments)
    today = datetime.datetime.now(datetime.UTC).date()
    exploited, findings = kev.read(catalog, today)
    report = reports.read(report_path, Report)
    findings += scanned_findings(report, in_every_image(path_of("requirements.lock")))
    findings += vulnerability_findings(report, exploited, accepted.read(), today)
    count = sum(len(result.packages) for result in report.results)
    return conclude("image-gate", findings, f"{count} packages scanned, nothing that keeps it from being released")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
