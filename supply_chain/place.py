"""Where the project lives and who signs its releases: place.toml, and the files that have to repeat it.

`python -m supply_chain.place owner/name` moves a fork: it writes the new repository into place.toml and into every file
that repeats it. Standard library only: the jobs that push and sign use it and install no package.
"""

import re
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from supply_chain.findings import ROOT, say

TABLE = Path(__file__).with_name("place.toml")
# Lower case, since names of images are.
_REPOSITORY = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,37}[a-z0-9])?/[a-z0-9][a-z0-9._-]{0,99}")

# Formats of others, which cannot read place.toml. A test holds them to it.
REPEATED_IN = (
    ".github/CODEOWNERS",
    ".github/ISSUE_TEMPLATE/config.yml",
    "SECURITY-INSIGHTS.yml",
    "deploy/admission/README.md",
    "deploy/admission/kyverno-image-validating-policy.yaml",
    "deploy/admission/policy-controller-cluster-image-policy.yaml",
    "helm/querygateway/values.yaml",
)


@dataclass(frozen=True)
class Place:
    """`repository` is `owner/name` on GitHub; everything else that is published is named after it."""

    repository: str
    issuer: str
    image_workflow: str
    chart_workflow: str
    release_ref: str
    provenance: str
    sbom: str

    @property
    def image(self) -> str:
        """The image's name in the registry, without tag."""
        return f"ghcr.io/{self.repository}"

    @property
    def chart(self) -> str:
        """The chart's name in the registry, without tag."""
        return f"{self.image}/charts/querygateway"

    def identity_pattern(self, workflow: str) -> str:
        """The regular expression, anchored at both ends, of the only identities that may sign with `workflow`.

        A keyless certificate names the workflow file that asked for it and the ref it ran on; a reusable workflow is
        named itself, not the one that called it.
        """
        return f"^{escaped(f'https://github.com/{self.repository}/{workflow}')}@{self.release_ref}$"


def escaped(text: str) -> str:
    """`text` as a regular expression for Go and for Python: of all that may stand in a URL only the dot is special."""
    return text.replace(".", r"\.")


def read(path: Path = TABLE) -> Place:
    """Read place.toml; raises TypeError when something is missing or not known."""
    return Place(**tomllib.loads(path.read_text()))


def move(root: Path, repository: str) -> list[str]:
    """Write a fork's `repository` into every file below `root` that names the old one; returns the files changed.

    Raises ValueError when it is no `owner/name` in lower case, FileNotFoundError when one of them is gone.
    """
    if not _REPOSITORY.fullmatch(repository):
        raise ValueError(f"{repository!r} is no owner/name in lower case")
    here = read(root / "supply_chain" / "place.toml").repository
    spellings = [
        # In a pattern first: a dot left bare there would let other repositories sign.
        (rf"github\.com/{escaped(here)}/", rf"github\.com/{escaped(repository)}/"),
        (here, repository),
        # Teams of the organization, in CODEOWNERS.
        (f"@{here.partition('/')[0]}/", f"@{repository.partition('/')[0]}/"),
    ]
    changed = []
    for name in ("supply_chain/place.toml", *REPEATED_IN):
        path = root / name
        text = moved = path.read_text()
        for old, new in spellings:
            moved = moved.replace(old, new)
        if moved != text:
            path.write_text(moved)
            changed.append(name)
    return changed


def main(arguments: Sequence[str]) -> int:
    """Move to the repository named, or say where the project is."""
    if not arguments:
        place = read()
        say(f"{place.repository}: {place.image}, signed by {place.identity_pattern(place.image_workflow)}")
        return 0
    for name in move(ROOT, arguments[0]):
        say(f"changed {name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
