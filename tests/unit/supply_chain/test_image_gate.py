"""What Trivy reports of the image is judged; and what the image is built on."""

import datetime
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from supply_chain import base_image, image_scan, pins, reports
from supply_chain.accepted import Accepted, AcceptedTable
from supply_chain.findings import ROOT
from supply_chain.locks import in_every_image, path_of
from supply_chain.pins import ImagePin, Pins, Signer
from tests.support.programs import make_program

TODAY = datetime.date(2026, 11, 22)
EXPECTED = {"alembic": "1.20.1"}


def result(kind: str, name: str, version: str, **more: Any) -> dict[str, Any]:
    return {"Target": kind, "Class": kind, "Packages": [{"Name": name, "Version": version}], **more}


def report(*results: dict[str, Any]) -> image_scan.Report:
    return msgspec.convert({"SchemaVersion": 2, "Results": list(results)}, image_scan.Report)


WHOLE = (result("os-pkgs", "libc6", "2.36-9"), result("lang-pkgs", "Alembic", "1.20.1"))


def kept(
    severity: str, fixed: str = "", exploited: frozenset[str] = frozenset(), table: AcceptedTable | None = None
) -> list[str]:
    found = {"VulnerabilityID": "CVE-2026-1", "PkgName": "libc6", "InstalledVersion": "2.36", "Severity": severity}
    scanned = report(
        result("os-pkgs", "libc6", "2.36", Vulnerabilities=[found | ({"FixedVersion": fixed} if fixed else {})])
    )
    findings = image_scan.vulnerability_findings(scanned, exploited, table or AcceptedTable(), TODAY)
    return [finding.message for finding in findings]


def test_the_whole_image_must_have_been_seen() -> None:
    assert list(image_scan.scanned_findings(report(*WHOLE), EXPECTED)) == []
    (finding,) = image_scan.scanned_findings(report(WHOLE[1]), EXPECTED)
    assert finding.message.startswith("nothing was scanned")
    (finding,) = image_scan.scanned_findings(report(WHOLE[0]), EXPECTED)
    assert finding.message == "1 of 1 packages were not scanned: alembic"


@pytest.mark.parametrize("written", ["", "{}", '{"Results": null}', "FATAL no such file"])
def test_a_report_of_nothing_fails(tmp_path: Path, written: str) -> None:
    path = tmp_path / "image-scan.json"
    path.write_text(written)
    assert len(list(image_scan.scanned_findings(reports.read(path, image_scan.Report), EXPECTED))) == 2


@pytest.mark.parametrize(
    ("severity", "fixed", "fails"),
    [
        ("CRITICAL", "", True),
        ("CRITICAL", "2.37", True),
        ("HIGH", "2.37", True),
        ("HIGH", "", False),
        ("MEDIUM", "2.37", False),
    ],
)
def test_what_keeps_an_image_from_being_released(severity: str, fixed: str, fails: bool) -> None:
    assert bool(kept(severity, fixed)) is fails


def test_what_is_exploited_counts_whatever_its_severity_and_whoever_accepted_it() -> None:
    table = AcceptedTable((Accepted("CVE-2026-1", "libc6", "the function with the flaw is never called", TODAY),))
    assert kept("CRITICAL", table=table) == []
    assert "exploited in the wild" in kept("LOW", exploited=frozenset({"CVE-2026-1"}), table=table)[0]


def test_a_secret_in_a_layer_fails() -> None:
    scanned = report(
        {"Target": "/app/key", "Class": "secret", "Secrets": [{"RuleID": "private-key", "Title": "Private Key"}]}
    )
    (finding,) = image_scan.vulnerability_findings(scanned, frozenset(), AcceptedTable(), TODAY)
    assert "private-key" in finding.message


def test_what_is_expected_in_the_image_is_the_same_whichever_python_it_has() -> None:
    expected = in_every_image(path_of("requirements.lock"))
    assert {"litestar", "oracledb", "uvloop", "greenlet"} <= expected.keys()
    assert "colorama" not in expected


def test_the_base_image_is_pinned_and_listed() -> None:
    images, findings = base_image.base_images(ROOT / "deploy" / "Dockerfile", pins.read())
    assert findings == []
    assert [pin.name for pin in images] == ["python"]


def test_a_base_image_that_is_not_listed_fails(tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(f"FROM python:3.13@sha256:{'0' * 64}\n")
    _, (finding,) = base_image.base_images(dockerfile, pins.read())
    assert "is not in pins.toml" in finding.message
    dockerfile.write_text("RUN true\n")
    _, (finding,) = base_image.base_images(dockerfile, pins.read())
    assert "nothing was checked" in finding.message


@pytest.fixture
def cosign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program named cosign that writes down what it was asked and ends with the status in `status`."""
    make_program(tmp_path, "cosign", f'echo "$@" >> {tmp_path}/asked\nexit $(cat {tmp_path}/status)')
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_a_base_image_whose_publisher_signs_must_be_signed(cosign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    signer = Signer("https://accounts.example.org", "builder@example.org")
    signed = ImagePin("example.org/python", "3", f"sha256:{'1' * 64}", "C", TODAY, "seen in files", signer)
    table = Pins((), (signed,), ())
    (cosign / "status").write_text("0")
    assert base_image.signature_findings(table.images) == []
    (cosign / "status").write_text("1")
    (finding,) = base_image.signature_findings(table.images)
    assert "is not signed by" in finding.message
    asked = (cosign / "asked").read_text().splitlines()
    assert asked[0] == (
        "verify --certificate-oidc-issuer=https://accounts.example.org --certificate-identity=builder@example.org "
        f"example.org/python@sha256:{'1' * 64}"
    )

    unsigned = msgspec.structs.replace(signed, signer=None)
    assert base_image.signature_findings([unsigned]) == []
    assert "UNSIGNED by its publisher" in capsys.readouterr().out
    assert len((cosign / "asked").read_text().splitlines()) == 2
