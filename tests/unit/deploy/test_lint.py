"""Dockerfiles and scripts pass their linters; `make lint-deploy` runs this."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.deploy.compose_file import DEPLOY

_TOOLS = Path(sys.executable).parent
_SCRIPTS = [
    path
    for path in sorted([*DEPLOY.rglob("*"), *(DEPLOY.parent / ".ci").iterdir()])
    if "secrets" not in path.relative_to(DEPLOY.parent).parts and path.is_file() and path.read_bytes()[:3] == b"#!/"
]


def test_the_dockerfiles_are_clean() -> None:
    files = sorted(DEPLOY.rglob("Dockerfile"))
    assert len(files) == 2
    _passes("hadolint", "--config", DEPLOY / "hadolint.yaml", *files)


def test_the_scripts_are_clean() -> None:
    assert len(_SCRIPTS) == 7
    _passes("shellcheck", *_SCRIPTS)


@pytest.mark.parametrize("script", _SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_be_run_and_stops_at_the_first_failure(script: Path) -> None:
    assert script.stat().st_mode & 0o111
    assert "\nset -eu" in script.read_text()


def _passes(tool: str, *arguments: str | Path) -> None:
    done = subprocess.run([_TOOLS / tool, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
