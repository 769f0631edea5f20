"""One place says where the project lives; a fork moves with one command; a release is of one version and one place."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from supply_chain import place, release
from supply_chain.findings import ROOT
from supply_chain.images import is_secret

HERE = place.read()
INSIGHTS = msgspec.yaml.decode((ROOT / "SECURITY-INSIGHTS.yml").read_bytes(), type=dict[str, Any])


@pytest.fixture
def fork(tmp_path: Path) -> Path:
    names = ["supply_chain/place.toml", "pyproject.toml", "CHANGELOG.md", "helm/querygateway/Chart.yaml"]
    for name in [*names, *place.REPEATED_IN]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("repository", ["acme/gateway-fork", "acme/query.gateway", "querygateway/fork"])
def test_a_fork_moves_everything_with_one_command(fork: Path, repository: str) -> None:
    changed = place.move(fork, repository)
    assert "supply_chain/place.toml" in changed
    moved = place.read(fork / "supply_chain" / "place.toml")
    assert moved.repository == repository
    assert moved.image == f"ghcr.io/{repository}"
    policies = "".join(path.read_text() for path in (fork / "deploy/admission").iterdir())
    assert moved.identity_pattern(moved.image_workflow) in policies
    for name in place.REPEATED_IN:
        assert HERE.repository not in (fork / name).read_text(), name
    # And home again, without a trace.
    if repository.startswith("acme/"):
        place.move(fork, HERE.repository)
        for name in changed:
            assert (fork / name).read_text() == (ROOT / name).read_text(), name


@pytest.mark.parametrize("repository", ["acme", "Acme/Fork", "acme/fork/more", "acme/", "-x/y", "acme/fork; rm -rf /"])
def test_a_place_that_no_registry_would_take_is_refused(fork: Path, repository: str) -> None:
    with pytest.raises(ValueError, match="owner/name"):
        place.move(fork, repository)


def test_no_other_file_names_the_repository() -> None:
    listed = {*place.REPEATED_IN, "supply_chain/place.toml"}
    folders = (".github", "deploy", "helm", "make", "supply_chain")
    naming = {
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.suffix != ".pyc" and not is_secret(ROOT, path) and path.is_file()
        if HERE.repository in path.read_text(errors="replace")
    }
    assert naming <= listed, sorted(naming - listed)


def test_a_release_is_of_one_version_and_one_place(fork: Path) -> None:
    version = release.version()
    tag = f"v{version}"
    findings = release.release_findings(fork, tag, HERE.repository)
    assert [finding.path for finding in findings if finding.path != "CHANGELOG.md"] == []
    (fork / "CHANGELOG.md").write_text(f"# Changes\n\n## {version}\n")
    assert release.release_findings(fork, tag, HERE.repository) == []
    assert {finding.path for finding in release.release_findings(fork, "v9.9.9", HERE.repository)} == {"pyproject.toml"}
    (finding,) = release.release_findings(fork, tag, "Acme/Fork")
    assert "make place REPOSITORY=acme/fork" in finding.message
    chart = fork / "helm/querygateway/Chart.yaml"
    chart.write_text(re.sub(r"^appVersion:.*$", "appVersion: 9.9.9", chart.read_text(), flags=re.MULTILINE))
    assert [finding.message for finding in release.release_findings(fork, tag, HERE.repository)] == [
        f"appVersion is 9.9.9, not {version}"
    ]


def test_what_was_signed_is_verified_with_the_identity_of_the_admission_policies() -> None:
    digest = f"sha256:{'1' * 64}"
    commands = release.verify_commands(HERE, HERE.image, HERE.image_workflow, digest, [HERE.provenance, HERE.sbom])
    assert [command[:2] for command in commands] == [["cosign", "verify"], *[["cosign", "verify-attestation"]] * 2]
    for command in commands:
        assert f"--certificate-identity-regexp={HERE.identity_pattern(HERE.image_workflow)}" in command
        assert f"--certificate-oidc-issuer={HERE.issuer}" in command
        assert command[-1] == f"{HERE.image}@{digest}"
    assert [command[2] for command in commands[1:]] == [f"--type={HERE.provenance}", f"--type={HERE.sbom}"]


def test_what_pushes_and_signs_needs_no_package() -> None:
    # -S: without what is installed beside Python, as in the jobs that may push and sign.
    command = [sys.executable, "-S", "-c", "import supply_chain.release"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)


@pytest.mark.parametrize("digest", ["", "latest", "sha256:1", f"sha256:{'1' * 64} --insecure"])
def test_nothing_is_signed_or_verified_by_tag(digest: str) -> None:
    with pytest.raises(SystemExit, match="DIGEST must be sha256"):
        release.image_verify({"DIGEST": digest})


def test_the_security_insights_have_what_their_schema_requires() -> None:
    assert INSIGHTS["header"].keys() >= {"schema-version", "last-updated", "last-reviewed", "url"}
    assert INSIGHTS["header"]["schema-version"] == "2.0.0"
    assert INSIGHTS["project"].keys() >= {"name", "administrators", "repositories", "vulnerability-reporting"}
    assert INSIGHTS["project"]["vulnerability-reporting"].keys() >= {"reports-accepted", "bug-bounty-available"}
    repository = INSIGHTS["repository"]
    required = {
        "status",
        "url",
        "accepts-change-request",
        "accepts-automated-change-request",
        "core-team",
        "license",
        "security",
    }
    assert repository.keys() >= required
    assert repository["release"].keys() >= {"automated-pipeline", "distribution-points"}
    assert "comment" in repository["security"]["assessments"]["self"]
    kinds = {"fuzzing", "container", "secret", "SCA", "SAST", "other"}
    for tool in repository["security"]["tools"]:
        assert tool.keys() >= {"name", "type", "rulesets", "integration", "results"}
        assert tool["type"] in kinds
        assert tool["integration"].keys() == {"adhoc", "ci", "release"}


def test_the_security_insights_point_to_files_that_are_there() -> None:
    text = (ROOT / "SECURITY-INSIGHTS.yml").read_text()
    pointed = re.findall(rf"github\.com/{re.escape(HERE.repository)}/(?:blob|tree|raw)/main/([^\s#]+)", text)
    assert len(pointed) > 5
    assert [name for name in pointed if not (ROOT / name).exists()] == []
    assert f"oci://{HERE.image}" in text
    assert f"oci://{HERE.chart}" in text
