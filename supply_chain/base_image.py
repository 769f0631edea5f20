"""`make base-image-check`: what our image is built on is pinned and listed, and signed where its publisher signs.

The official images of Docker Hub carry no signature that cosign verifies (docker/roadmap#562). For them the table has
no `signer`: the pin by digest and its evidence are all there is, and that is said aloud here. With a `signer`, cosign
has to find its signature.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from supply_chain import pins as pin_table
from supply_chain.findings import ROOT, Finding, conclude, say
from supply_chain.images import images_in
from supply_chain.pins import ImagePin, Pins

_DOCKERFILE = ROOT / "deploy" / "Dockerfile"
_TIMEOUT_S = 120


def base_images(dockerfile: Path, pins: Pins) -> tuple[list[ImagePin], list[Finding]]:
    """The pins of the images that a Dockerfile builds on, and findings for those that have none."""
    name = str(dockerfile.relative_to(ROOT)) if dockerfile.is_relative_to(ROOT) else dockerfile.name
    found: list[ImagePin] = []
    findings: list[Finding] = []
    uses = images_in(dockerfile)
    for use in uses:
        pin = pins.image(use.digest)
        if pin is None or pin.name != use.name:
            findings.append(
                Finding(name, use.line, f"{use.name}:{use.tag}@{use.digest or 'no digest'} is not in pins.toml")
            )
        elif pin not in found:
            found.append(pin)
    if not uses:
        findings.append(Finding(name, 0, "names no base image: nothing was checked"))
    return found, findings


def verify_command(pin: ImagePin) -> list[str] | None:
    """The cosign command that verifies the publisher's signature; None when the publisher signs nothing."""
    if pin.signer is None:
        return None
    return [
        "cosign",
        "verify",
        f"--certificate-oidc-issuer={pin.signer.issuer}",
        f"--certificate-identity={pin.signer.identity}",
        f"{pin.name}@{pin.digest}",
    ]


def signature_findings(images: Sequence[ImagePin]) -> list[Finding]:
    """Findings for images whose publisher signs and whose signature cosign does not find. Needs the registry."""
    findings = []
    for pin in images:
        command = verify_command(pin)
        if command is None:
            what = f"{pin.name}:{pin.tag} at {pin.digest}, grade {pin.grade}"
            say(f"base-image-check: UNSIGNED by its publisher, held by its digest alone: {what}")
            continue
        done = subprocess.run(command, check=False, timeout=_TIMEOUT_S, stdout=subprocess.DEVNULL)  # noqa: S603
        if done.returncode:
            findings.append(
                Finding("supply_chain/pins.toml", 0, f"{pin.name}@{pin.digest} is not signed by {pin.signer}")
            )
    return findings


def main() -> int:
    """Check the Dockerfile of this tree."""
    images, findings = base_images(_DOCKERFILE, pin_table.read())
    findings += signature_findings(images)
    return conclude("base-image-check", findings, f"{len(images)} base images, all pinned and listed")


if __name__ == "__main__":
    raise SystemExit(main())
