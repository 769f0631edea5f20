"""What osv-scanner reports is judged: nothing scanned, exploited, critical or overdue fails; the rest has its time."""

import datetime
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from supply_chain import kev, osv, reports
from supply_chain.accepted import Accepted, AcceptedTable
from supply_chain.findings import ROOT
from supply_chain.locks import LOCKS

TODAY = datetime.date(2026, 11, 22)
LOCK = {"requirements.lock": {"jinja2": "2.4.1"}}


def package(
    severity: str = "", days_known: int = 0, alias: str = "CVE-2019-10906", name: str = "jinja2"
) -> dict[str, Any]:
    published = datetime.datetime.combine(TODAY, datetime.time(), datetime.UTC) - datetime.timedelta(days=days_known)
    return {
        "package": {"name": name, "version": "2.4.1", "ecosystem": "PyPI"},
        "vulnerabilities": [{"id": "GHSA-462w-v97r-4m45", "aliases": [alias], "published": published.isoformat()}],
        "groups": [{"ids": ["GHSA-462w-v97r-4m45"], "aliases": [alias], "max_severity": severity}],
    }


def report(*packages: dict[str, Any]) -> osv.Report:
    source = {"path": "/github/workspace/requirements.lock", "type": "lockfile"}
    return msgspec.convert({"results": [{"source": source, "packages": list(packages)}]}, osv.Report)


def overdue(
    *packages: dict[str, Any], exploited: frozenset[str] = frozenset(), table: AcceptedTable | None = None
) -> list[str]:
    found = osv.vulnerability_findings(report(*packages), exploited, table or AcceptedTable(), TODAY)
    return [finding.message for finding in found]


@pytest.mark.parametrize(
    "written", ["", "{}", '{"results": []}', "no packages found", '{"results": [{"source": {"path": "/a"}}]}']
)
def test_a_report_without_packages_means_that_nothing_was_audited(tmp_path: Path, written: str) -> None:
    path = tmp_path / "osv-tree.json"
    path.write_text(written)
    (finding,) = osv.scanned_findings(reports.read(path, osv.Report), LOCK)
    assert finding.message.startswith("nothing was audited")
    assert [finding.path for finding in osv.canary_findings(reports.read(path, osv.Report))] == [
        "supply_chain/canary.list"
    ]


def test_a_missing_report_means_that_nothing_was_audited(tmp_path: Path) -> None:
    assert list(osv.scanned_findings(reports.read(tmp_path / "none.json", osv.Report), LOCK))


def test_every_package_of_every_lock_must_have_been_scanned() -> None:
    assert list(osv.scanned_findings(report(package()), LOCK)) == []
    assert list(osv.canary_findings(report(package()))) == []
    (finding,) = osv.scanned_findings(report(package()), {"requirements.lock": {"jinja2": "2.4.1", "arq": "0.28.0"}})
    assert finding.message == "1 of 2 packages were not scanned: arq ..."
    (finding,) = osv.scanned_findings(report(package()), LOCK | {"requirements-dev.lock": {"ruff": "0.17.6"}})
    assert finding.path == "requirements-dev.lock"


@pytest.mark.parametrize(
    ("severity", "days_known", "fails"),
    [
        ("9.8", 0, True),
        ("9.0", 0, True),
        ("8.9", 7, False),
        ("8.9", 8, True),
        ("5.0", 30, False),
        ("5.0", 31, True),
        ("3.9", 90, False),
        ("3.9", 91, True),
        ("", 30, False),
        ("", 31, True),
    ],
)
def test_how_long_a_vulnerability_may_stay(severity: str, days_known: int, fails: bool) -> None:
    assert bool(overdue(package(severity, days_known))) is fails


def test_what_is_exploited_fails_at_once_even_when_it_was_accepted() -> None:
    reason = "not reachable: nothing of ours renders templates"
    table = AcceptedTable((Accepted("CVE-2019-10906", "jinja2", reason, TODAY),))
    assert overdue(package("9.8", 400), table=table) == []
    (message,) = overdue(package("3.1", 0), exploited=frozenset({"CVE-2019-10906"}), table=table)
    assert "is exploited in the wild" in message


def test_a_vulnerability_of_unknown_age_fails() -> None:
    unknown = package("3.0")
    del unknown["vulnerabilities"][0]["published"]
    assert "an unknown time" in overdue(unknown)[0]


def catalog(path: Path, entries: int, released: datetime.date) -> Path:
    vulnerabilities = [{"cveID": f"CVE-2020-{number:05}", "vendorProject": "x"} for number in range(entries)]
    written = {"dateReleased": f"{released}T14:00:00.1234Z", "count": entries, "vulnerabilities": vulnerabilities}
    path.write_text(json.dumps(written))
    return path


def test_the_catalog_of_exploited_vulnerabilities_must_be_whole_and_recent(tmp_path: Path) -> None:
    path = tmp_path / "kev.json"
    exploited, findings = kev.read(catalog(path, 1_600, TODAY), TODAY)
    assert (len(exploited), findings) == (1_600, [])
    assert "CVE-2020-00007" in exploited
    assert "not the whole catalog" in kev.read(catalog(path, 3, TODAY), TODAY)[1][0].message
    assert "too old" in kev.read(catalog(path, 1_600, TODAY - datetime.timedelta(days=30)), TODAY)[1][0].message
    path.write_text("<html>not today</html>")
    assert "no catalog" in kev.read(path, TODAY)[1][0].message
    assert "no catalog" in kev.read(tmp_path / "none.json", TODAY)[1][0].message


def test_the_workflow_scans_every_lock() -> None:
    workflow = (ROOT / ".github/workflows/security.yml").read_text()
    assert set(re.findall(r"--lockfile=requirements\.txt:(\S+\.lock)$", workflow, re.MULTILINE)) == set(LOCKS)
    assert "--lockfile=requirements.txt:supply_chain/canary.list" in workflow
