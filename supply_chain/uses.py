"""The `uses:` references of workflows, with their lines and version comments, which a YAML parser would drop."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

_USES = re.compile(
    r"""^\s*(?:-\s+)?["']?uses["']?\s*:\s*["']?(?P<target>[^\s"'#]+)["']?\s*(?:\#\s*(?P<comment>\S+))?"""
)
_SUFFIXES = (".yml", ".yaml")


class Use(msgspec.Struct, frozen=True):
    """One reference: `target` as written (`owner/name/path@ref`, `$/local`, `docker://image`), the comment after it."""

    path: Path
    line: int
    target: str
    comment: str

    @property
    def is_local(self) -> bool:
        """Whether it is a file of this repository, at the commit that runs (`$/`) or as it lies checked out (`./`)."""
        return self.target.startswith(("$/", "./"))

    @property
    def is_container(self) -> bool:
        """Whether an image runs instead of an action."""
        return self.target.startswith("docker://")

    @property
    def name(self) -> str:
        """`owner/name`, without a path inside the action's repository."""
        return "/".join(self.target.partition("@")[0].split("/")[:2])

    @property
    def ref(self) -> str:
        """What stands after the `@`: a commit, or (refused) a tag or a branch."""
        return self.target.partition("@")[2]


def workflow_files(root: Path) -> list[Path]:
    """Every workflow and every composite action below `root`/.github, sorted."""
    folder = root / ".github"
    found = [path for name in ("workflows", "actions") for path in (folder / name).rglob("*")]
    return sorted(path for path in found if path.suffix in _SUFFIXES and path.is_file())


def uses_in(path: Path, content: object) -> list[Use]:
    """The references of a file with the YAML `content`. Raises ValueError when that holds others than the lines show.

    The lines are read because the version is in a comment; the parser is asked as well, so that no spelling of YAML
    (flow style, a key on another line, an alias) gets a reference past the lines.
    """
    uses = [
        Use(path, number, match["target"], match["comment"] or "")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if (match := _USES.match(line))
    ]
    if sorted(_targets(content)) != sorted(use.target for use in uses):
        raise ValueError("holds a `uses` that is not written as `uses: target # version` on a line of its own")
    return uses


def _targets(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "uses" and isinstance(inner, str):
                yield inner
            else:
                yield from _targets(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _targets(inner)
