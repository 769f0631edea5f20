"""Docker as the tests ask for it: the program, its answers, and whether there is one at all."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCAL_BASE = "querygateway-base:local"
_TIMEOUT_S = 120.0
_MAKE_TIMEOUT_S = 1500.0


def program() -> str:
    """The `docker` to use: DOCKER, as for make."""
    return os.environ.get("DOCKER") or "docker"


def missing() -> str:
    """Why nothing here can be tried; empty when it can."""
    if shutil.which(program()) is None:
        return f"there is no program {program()!r}"
    asked = subprocess.run([program(), "info"], capture_output=True, text=True, timeout=30, check=False)
    if asked.returncode:
        return f"`{program()} info` says: {asked.stderr.strip().splitlines()[-1:]}"
    return ""


def docker(*arguments: str, check: bool = True, timeout_s: float = _TIMEOUT_S) -> subprocess.CompletedProcess[str]:
    """One command; its output is shown when it fails."""
    done = subprocess.run(
        [program(), *arguments], capture_output=True, text=True, timeout=timeout_s, check=False, cwd=ROOT
    )
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def make(target: str, **variables: str) -> str:
    """A target of the Makefile, as an operator runs it; what it printed."""
    given = [f"{name}={value}" for name, value in variables.items()]
    done = subprocess.run(
        ["make", "--no-print-directory", target, *given],
        capture_output=True,
        text=True,
        timeout=_MAKE_TIMEOUT_S,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, f"make {target}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return done.stdout


def has_image(name: str) -> bool:
    """Whether this machine has the image."""
    return docker("image", "inspect", name, check=False).returncode == 0


def base_image() -> str | None:
    """What the images are built on: BASE_IMAGE, else the local base when there is one, else the Dockerfile's digest."""
    return os.environ.get("BASE_IMAGE") or (LOCAL_BASE if has_image(LOCAL_BASE) else None)
