"""The scripts take their settings from where compose takes them: the environment, else deploy/.env."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.programs import make_program
from tests.unit.deploy.compose_file import DEPLOY


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    """A copy of the scripts, with a `docker` that writes down what it was asked."""
    for name in ("make-secrets", "demo"):
        shutil.copy(DEPLOY / name, tmp_path / name)
    make_program(tmp_path, "docker", f'echo "$@" >> {tmp_path}/asked')
    return tmp_path


def run(deploy: Path, name: str, **environ: str) -> str:
    """What the script asked of docker."""
    path = f"{deploy}{os.pathsep}{os.environ['PATH']}"
    subprocess.run([deploy / name], env={"PATH": path, **environ}, check=True, capture_output=True, timeout=30)
    return (deploy / "asked").read_text()


def test_what_nobody_set_has_the_defaults_of_the_example(deploy: Path) -> None:
    asked = run(deploy, "make-secrets")
    assert f"{deploy}/secrets:/out" in asked
    assert " querygateway:local " in asked
    assert f"CA_FILE={deploy}/secrets/ca.crt" in run(deploy, "demo")


def test_the_file_is_read_and_the_environment_wins(deploy: Path) -> None:
    (deploy / ".env").write_text("SECRETS_DIR=./elsewhere\nQUERYGATEWAY_IMAGE=registry.example/gateway:1\n")
    asked = run(deploy, "make-secrets", QUERYGATEWAY_IMAGE="mine:2")
    assert f"{deploy}/elsewhere:/out" in asked
    assert " mine:2 " in asked
    assert f"CA_FILE={deploy}/elsewhere/ca.crt" in run(deploy, "demo")


def test_a_data_plane_is_replaced_with_the_files_that_it_was_started_with(deploy: Path) -> None:
    shutil.copy(DEPLOY / "roll", deploy / "roll")
    make_program(
        deploy,
        "docker",
        f"""echo "$@" >> {deploy}/asked
case "$*" in
    *" ps "*) echo c0ffee ;;
    inspect*) echo /srv/compose.yaml,/srv/compose.outside.yaml ;;
esac""",
    )
    make_program(deploy, "sleep", "exit 0")
    asked = run(deploy, "roll").splitlines()
    started = [line for line in asked if " up " in line]
    assert [line.split()[-1] for line in started] == ["data-plane-1", "data-plane-2"]
    assert all(line.startswith("compose -f /srv/compose.yaml -f /srv/compose.outside.yaml up ") for line in started)
    assert sum(line == "exec c0ffee querygateway drain --seconds 2" for line in asked) == 2
