"""What the release workflows do: `python3 -m supply_chain.release COMMAND`, called by make/supply_chain.mk.

Standard library only, so that the jobs that may push and sign install no package; git, docker, helm, cosign, gh.
What is signed is signed keyless, as a Sigstore bundle beside the image (cosign 3): what deploy/admission checks.
"""

import hashlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from supply_chain import place
from supply_chain.findings import ROOT, Finding, conclude, say

IMAGE_TAR = ROOT / "build" / "image" / "image.tar"
CHART_FOLDER = ROOT / "build" / "chart"
RELEASE_FOLDER = ROOT / "build" / "release"
_LOCAL_IMAGE = "querygateway:local"
_TIMEOUT_S = 900
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def version() -> str:
    """The version that pyproject.toml says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def release_findings(root: Path, tag: str, repository: str) -> list[Finding]:
    """What keeps `tag` from being released out of `repository` (`owner/name`): versions and places that disagree."""
    expected = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    findings = []
    if tag != f"v{expected}":
        findings.append(Finding("pyproject.toml", 0, f"says {expected}, the tag is {tag}"))
    chart = (root / "helm" / "querygateway" / "Chart.yaml").read_text()
    for field in ("version", "appVersion"):
        match = re.search(rf"""^{field}:\s*["']?([^"'\s]+)""", chart, re.MULTILINE)
        if match is None or match[1] != expected:
            found = match[1] if match else "nothing"
            findings.append(Finding("helm/querygateway/Chart.yaml", 0, f"{field} is {found}, not {expected}"))
    if not re.search(rf"^##+ .*\b{re.escape(expected)}\b", (root / "CHANGELOG.md").read_text(), re.MULTILINE):
        findings.append(Finding("CHANGELOG.md", 0, f"has no heading for {expected}"))
    here = place.read(root / "supply_chain" / "place.toml").repository
    if repository != here:
        message = f"says {here}, this is {repository}: run `make place REPOSITORY={repository.lower()}` first"
        findings.append(Finding("supply_chain/place.toml", 0, message))
    return findings


def check(environment: Mapping[str, str]) -> int:
    """RELEASE_TAG is this version, of this place, and on main. Needs git and its history."""
    tag = environment["RELEASE_TAG"]
    findings = release_findings(ROOT, tag, environment.get("GITHUB_REPOSITORY", place.read().repository))
    on_main = subprocess.run(
        ["git", "merge-base", "--is-ancestor", "HEAD", "origin/main"],  # noqa: S607
        cwd=ROOT,
        check=False,
    )
    if on_main.returncode:
        findings.append(Finding("git", 0, f"{tag} is not on main"))
    return conclude("release-check", findings, f"{tag} may be released")


def image_save(environment: Mapping[str, str]) -> int:
    """Write the image that was built as IMAGE (querygateway:local) into build/image: scanned and pushed from there."""
    IMAGE_TAR.parent.mkdir(parents=True, exist_ok=True)
    _run("docker", "save", "--output", str(IMAGE_TAR), environment.get("IMAGE") or _LOCAL_IMAGE)
    say(f"image-save: {IMAGE_TAR.relative_to(ROOT)}, {IMAGE_TAR.stat().st_size >> 20} MiB")
    return 0


def image_push(environment: Mapping[str, str]) -> int:
    """Push the image of build/image as the version of RELEASE_TAG, and say its digest to the steps after this one."""
    name = f"{place.read().image}:{environment['RELEASE_TAG'].removeprefix('v')}"
    _run("docker", "load", "--input", str(IMAGE_TAR))
    _run("docker", "tag", environment.get("IMAGE") or _LOCAL_IMAGE, name)
    _run("docker", "push", name)
    said = _run("docker", "inspect", "--format", "{{range .RepoDigests}}{{println .}}{{end}}", name)
    digests = [line.partition("@")[2] for line in said.split() if line.startswith(f"{place.read().image}@")]
    return _tell_digest("image-push", digests[0] if digests else "", environment)


def chart_push(environment: Mapping[str, str]) -> int:
    """Push the one chart of build/chart, and say its digest to the steps after this one."""
    (package,) = CHART_FOLDER.glob("*.tgz")
    said = _run("helm", "push", str(package), f"oci://{place.read().chart.rpartition('/')[0]}")
    match = _DIGEST.search(said)
    return _tell_digest("chart-push", match[0] if match else "", environment)


def image_sign(environment: Mapping[str, str]) -> int:
    """Sign the image with DIGEST with this job's identity."""
    return _sign(place.read().image, _digest(environment))


def chart_sign(environment: Mapping[str, str]) -> int:
    """Sign the chart with DIGEST (or the one that was pushed just now) with this job's identity."""
    return _sign(place.read().chart, _chart_digest(environment))


def image_verify(environment: Mapping[str, str]) -> int:
    """Verify the image with DIGEST as whoever deploys it does: signature, provenance and SBOM. Needs cosign 3."""
    here = place.read()
    kinds = (here.provenance, here.sbom)
    for command in verify_commands(here, here.image, here.image_workflow, _digest(environment), kinds):
        _run(*command)
    say("image-verify: signature, provenance and SBOM are the release workflow's")
    return 0


def chart_verify(environment: Mapping[str, str]) -> int:
    """Verify the chart with DIGEST (or the one that was pushed just now): signature and provenance. Needs cosign 3."""
    here = place.read()
    kinds = (here.provenance,)
    for command in verify_commands(here, here.chart, here.chart_workflow, _chart_digest(environment), kinds):
        _run(*command)
    say("chart-verify: signature and provenance are the release workflow's")
    return 0


def verify_commands(here: place.Place, name: str, workflow: str, digest: str, kinds: Sequence[str]) -> list[list[str]]:
    """The cosign commands that verify `name@digest` and what is attested of it, each kind a predicate type.

    The same identity as in deploy/admission.
    """
    signer = [
        f"--certificate-oidc-issuer={here.issuer}",
        f"--certificate-identity-regexp={here.identity_pattern(workflow)}",
    ]
    subject = f"{name}@{digest}"
    attested = [["cosign", "verify-attestation", f"--type={kind}", *signer, subject] for kind in kinds]
    return [["cosign", "verify", *signer, subject], *attested]


def files(environment: Mapping[str, str]) -> int:
    """Checksums of everything in build/release, and the image's digest beside it."""
    RELEASE_FOLDER.mkdir(parents=True, exist_ok=True)
    (RELEASE_FOLDER / "image.digest").write_text(f"{place.read().image}@{_digest(environment)}\n")
    sums = RELEASE_FOLDER / "SHA256SUMS"
    named = sorted(path for path in RELEASE_FOLDER.iterdir() if path.is_file() and path != sums)
    sums.write_text("".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in named))
    say(f"release-files: {', '.join(path.name for path in named)}")
    return 0


def publish(environment: Mapping[str, str]) -> int:
    """Make the page of RELEASE_TAG with everything in build/release. Needs gh and GH_TOKEN."""
    tag = environment["RELEASE_TAG"]
    attached = sorted(str(path) for path in RELEASE_FOLDER.iterdir())
    _run(
        "gh",
        "release",
        "create",
        tag,
        "--verify-tag",
        "--title",
        tag,
        "--notes",
        "CHANGELOG.md says what changed.",
        *attached,
    )
    return 0


def _sign(name: str, digest: str) -> int:
    subject = f"{name}@{digest}"
    _run("cosign", "sign", "--yes", subject)
    say(f"signed {subject}")
    return 0


def _digest(environment: Mapping[str, str], pushed_just_now: str = "") -> str:
    digest = environment.get("DIGEST") or pushed_just_now
    if not _DIGEST.fullmatch(digest):
        raise SystemExit(f"DIGEST must be sha256: and 64 hexadecimal digits, not {digest!r}")
    return digest


def _chart_digest(environment: Mapping[str, str]) -> str:
    record = CHART_FOLDER / "digest"
    return _digest(environment, record.read_text().strip() if record.exists() else "")


def _tell_digest(name: str, digest: str, environment: Mapping[str, str]) -> int:
    if not _DIGEST.fullmatch(digest):
        raise SystemExit(f"{name}: the registry said no digest")
    if name == "chart-push":
        (CHART_FOLDER / "digest").write_text(digest)
    if output := environment.get("GITHUB_OUTPUT"):
        with Path(output).open("a") as file:
            file.write(f"digest={digest}\n")
    say(f"{name}: {digest}")
    return 0


def _run(*command: str) -> str:
    """Run it with its output shown and returned; SystemExit when it fails."""
    say(f"+ {' '.join(command)}")
    done = subprocess.run(  # noqa: S603 - programs named above, values checked or from place.toml
        command, cwd=ROOT, check=False, timeout=_TIMEOUT_S, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    say(done.stdout.rstrip())
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout


COMMANDS: dict[str, Callable[[Mapping[str, str]], int]] = {
    "check": check,
    "image-save": image_save,
    "image-push": image_push,
    "image-sign": image_sign,
    "image-verify": image_verify,
    "chart-push": chart_push,
    "chart-sign": chart_sign,
    "chart-verify": chart_verify,
    "files": files,
    "publish": publish,
}


def main(arguments: Sequence[str]) -> int:
    """Run one command."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        raise SystemExit(f"usage: python3 -m supply_chain.release {{{','.join(COMMANDS)}}}")
    return COMMANDS[arguments[0]](os.environ)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
