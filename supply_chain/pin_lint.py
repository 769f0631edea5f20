"""`make pin-lint`: nothing from outside runs or is built upon that is not pinned by hash and listed in pins.toml.

Also checks how the workflows are built (workflows.py). Says nothing about dates: what grows old is `make freshness`.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from supply_chain import pins as pin_table
from supply_chain import place, workflows
from supply_chain.findings import ROOT, Finding, conclude
from supply_chain.images import ImageUse, image_files, images_in
from supply_chain.pins import Pins
from supply_chain.uses import Use, uses_in, workflow_files

_COMMIT = re.compile(r"[0-9a-f]{40}")
# What is built here is no pin: it is known by its signature (deploy/admission).
_BUILT_HERE = frozenset({"querygateway", "querygateway-standin"})


def lint(root: Path, pins: Pins) -> list[Finding]:
    """Everything that is wrong below `root`."""
    findings = list(table_findings(pins))
    used: set[str] = set()
    for path in workflow_files(root):
        name = str(path.relative_to(root))
        try:
            content = msgspec.yaml.decode(path.read_bytes())
            uses = uses_in(path, content)
        except ValueError as error:
            findings.append(Finding(name, 0, str(error)))
            continue
        for use in uses:
            used.add(use.name)
            findings += [Finding(name, use.line, problem) for problem in use_problems(use, pins)]
        findings += [Finding(name, 0, problem) for problem in workflows.problems(content)]
    for path in image_files(root):
        for image in images_in(path):
            used.add(image.digest)
            findings += [
                Finding(str(path.relative_to(root)), image.line, problem) for problem in image_problems(image, pins)
            ]
    # A table that only ever grows hides what is really trusted.
    unused = [pin.name for pin in pins.actions if pin.name not in used]
    unused += [f"{pin.name}:{pin.tag}" for pin in pins.images if pin.digest not in used]
    findings += [Finding("supply_chain/pins.toml", 0, f"{name} is listed, and nothing uses it") for name in unused]
    return findings


def table_findings(pins: Pins) -> Iterator[Finding]:
    """What the table itself gets wrong."""
    listed = [(pin.name, "") for pin in pins.actions] + [(pin.name, pin.tag) for pin in pins.images]
    for name, tag in sorted({entry for entry in listed if listed.count(entry) > 1}):
        yield Finding("supply_chain/pins.toml", 0, f"{name} {tag}".strip() + " is listed twice")
    for pin in pins.actions:
        if refusal := pins.refusal(pin.name, pin.sha):
            yield Finding("supply_chain/pins.toml", 0, f"{pin.name} is listed and refused: {refusal.why}")


def use_problems(use: Use, pins: Pins) -> Iterator[str]:
    """What is wrong with one `uses:`."""
    if use.is_local or use.is_container:
        # An image is checked with the images; a file of this repository runs at the commit that was checked out.
        return
    if refusal := pins.refusal(use.name, use.ref):
        yield f"{use.target} must never be used: {refusal.why}"
        return
    if not _COMMIT.fullmatch(use.ref):
        yield f"{use.target} is not pinned to a full commit: a tag or branch can be moved"
        return
    pin = pins.action(use.name)
    if pin is None:
        yield f"{use.name} is not in supply_chain/pins.toml"
    elif pin.sha != use.ref:
        yield f"{use.name} is at {use.ref}, not at {pin.sha} ({pin.version}) as in supply_chain/pins.toml"
    elif pin.version != use.comment:
        yield f"{use.name} needs the comment `# {pin.version}`, which is what is pinned, not {use.comment or 'none'!r}"


def image_problems(image: ImageUse, pins: Pins) -> Iterator[str]:
    """What is wrong with one image."""
    if image.name == place.read().image or image.name in _BUILT_HERE:
        return
    if not image.digest:
        yield f"{image.name}:{image.tag or 'latest'} is not pinned by digest"
        return
    pin = pins.image(image.digest)
    if pin is None:
        yield f"{image.name}@{image.digest} is not in supply_chain/pins.toml"
    elif pin.name != image.name:
        yield f"{image.digest} is {pin.name} in supply_chain/pins.toml, not {image.name}"
    elif image.tag and image.tag != pin.tag:
        yield f"{image.name}@{image.digest} is {pin.tag} in supply_chain/pins.toml, not {image.tag}"


def main() -> int:
    """Lint this tree."""
    pins = pin_table.read()
    well = f"{len(pins.actions)} actions and {len(pins.images)} images, all pinned and listed"
    return conclude("pin-lint", lint(ROOT, pins), well)


if __name__ == "__main__":
    raise SystemExit(main())
