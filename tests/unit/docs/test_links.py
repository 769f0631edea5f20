"""The pages lead somewhere: links and the headings they name exist, and the README names real settings."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import migration
from control_plane.settings import VARIABLES as CONTROL_PLANE
from data_plane.settings import VARIABLES as DATA_PLANE
from worker.settings import VARIABLES as WORKER

ROOT = Path(__file__).resolve().parents[3]

_FENCED = re.compile(r"^(```+).*?^\1\s*$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\[[^\]\n]+\]\(([^)\s]+)\)")
_SOURCE = re.compile(r"`((?:[a-z_0-9]+/)+[a-z_0-9]+\.py)`")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:")


def pages() -> list[Path]:
    """Every Markdown file of the repository; where there is no git, those of the places that have some."""
    listed = subprocess.run(["git", "ls-files", "-z", "*.md"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        names = [Path(name) for name in listed.stdout.decode().split("\0") if name]
        return sorted(ROOT / name for name in names if (ROOT / name).exists())
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def text_of(page: Path) -> str:
    """The page without its fenced examples, in which nothing is a heading or a link."""
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The names that headings get on GitHub: lower case, no punctuation, hyphens for blanks."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(text_of(page))}


def links(page: Path) -> Iterator[str]:
    """The targets of links that stay in the repository."""
    for target in _LINK.findall(_CODE.sub("", text_of(page))):
        if not _ELSEWHERE.match(target):
            yield target


def dead(page: Path) -> list[str]:
    """The links of a page whose file or heading does not exist."""
    found = []
    for target in links(page):
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or not file.is_relative_to(ROOT) or (anchor and anchor not in anchors(file)):
            found.append(target)
    return found


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert dead(page) == []


def test_dead_links_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    (tmp_path / "other.md").write_text("# One `two` (three)\n```\n# no heading\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md) [b](other.md#one-two-three) [c](https://example.org/x) `[d](no.md)` [e](gone.md)\n"
        "[f](other.md#no-heading) [g](#nowhere) [h](../outside.md)\n```\n[i](no.md)\n```\n"
    )
    assert dead(page) == ["gone.md", "other.md#no-heading", "#nowhere", "../outside.md"]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_source_file_that_a_page_names_exists(page: Path) -> None:
    folders = [ROOT, ROOT / "libs", ROOT / "services"]
    gone = [name for name in _SOURCE.findall(text_of(page)) if not any((folder / name).exists() for folder in folders)]
    assert gone == []


def test_every_page_of_docs_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        waiting += [(page.parent / target.partition("#")[0]).resolve() for target in links(page) if target[0] != "#"]
    unreached = [page for page in pages() if page.is_relative_to(ROOT / "docs") and page not in seen]
    assert unreached == []


def test_the_settings_table_of_the_readme_is_true() -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Settings\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (`[^|]+`) \| (\w+) \| (\w+) \| (\w+) \| (.*) \|$", section, re.MULTILINE)
    assert len(rows) >= 10
    services = {
        "control plane": {variable.name: variable for variable in CONTROL_PLANE},
        "data plane": {variable.name: variable for variable in DATA_PLANE},
        "worker": {variable.name: variable for variable in WORKER},
    }
    listed: set[str] = set()
    for names, control_plane, data_plane, worker, meaning in rows:
        for name in re.findall(r"`([A-Z_]+)`", names):
            listed.add(name)
            for said, variables in zip((control_plane, data_plane, worker), services.values(), strict=True):
                assert (said == "yes") == (name in variables), f"{name}: {said}"
        for name in re.findall(r"`([A-Z]+_[A-Z_]+)`", meaning):
            assert name in {variable.name for variable in migration.VARIABLES}, name
    for service, variables in services.items():
        required = {variable.name for variable in variables.values() if variable.default is None}
        assert required <= listed, f"the README must name what the {service} can't start without"
