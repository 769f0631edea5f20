"""The Makefile explains itself, the documents name targets that exist, and no file names a package index."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MAKEFILE = "".join(path.read_text() for path in (ROOT / "Makefile", *(ROOT / "make").glob("*.mk")))
# A name with a slash is a file that is always made anew, and nothing to ask for.
PHONY = set(
    re.findall(r"(?<![\w/.])[a-z0-9-]+(?![\w/.])", " ".join(re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)))
)
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(path for place in ("docs", "deploy", "helm") for path in (ROOT / place).rglob("*.md")),
]


def test_every_target_says_what_it_is_for() -> None:
    explained = set(re.findall(r"^([a-z0-9-]+):.*## \S", MAKEFILE, re.MULTILINE))
    assert explained == PHONY
    assert {"env", "dev", "dev-down", "test", "lint", "typecheck", "unit", "integration", "e2e", "bench"} <= PHONY


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here")
def test_make_alone_lists_every_target() -> None:
    shown = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make ([a-z0-9-]+) ", shown, re.MULTILINE)) == PHONY


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_name_targets_that_exist(document: Path) -> None:
    named = set(re.findall(r"(?:`|^    )make ([a-z][a-z0-9-]*)", document.read_text(), re.MULTILINE))
    assert named <= PHONY


def test_the_continuous_integration_script_runs_the_one_command() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    text = script.read_text()
    assert "set -euo pipefail" in text
    assert text.rstrip().endswith("exec make test")


def test_no_file_names_the_host_of_a_package_index() -> None:
    # In two pieces each, or this file would be the first to name one.
    hosts = re.compile(
        "|".join(("py" + r"pi\.org", "python" + r"hosted\.", "registry\\." + "npm", "proxy\\." + "golang"))
    )
    folders = (
        "libs",
        "services",
        "tests",
        "benchmarks",
        "docs",
        ".ci",
        ".github",
        "deploy",
        "helm",
        "make",
        "supply_chain",
    )
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    files += [path for path in ROOT.iterdir() if path.is_file()]
    naming = [path for path in files if path.suffix != ".pyc" and hosts.search(path.read_text(errors="replace"))]
    assert naming == []
