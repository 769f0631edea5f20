"""Running helm: what it makes of values, or the words in which it refuses them."""

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from helm.checks.helm_tool import HELM
from helm.checks.manifests import Manifest, manifests_in
from helm.checks.places import CHART

RELEASE = "gateway"
NAMESPACE = "tenant"
TIMEOUT_S = 60


class Refused(ValueError):
    """helm did not render; the message is its own."""


def helm(*arguments: str) -> str:
    """Run helm; its standard output. Raises `Refused`."""
    command = [str(HELM), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)  # noqa: S603
    if done.returncode != 0:
        raise Refused(f"{done.stdout}{done.stderr}".strip())
    return done.stdout


def render(
    values: list[Path], *, over: dict[str, Any] | None = None, chart: Path = CHART, release: str = RELEASE
) -> list[Manifest]:
    """Every object of the chart with files of values, and `over` on top. Raises `Refused`."""
    with tempfile.TemporaryDirectory() as directory:
        files = list(values)
        if over is not None:
            files.append(Path(directory) / "over.yaml")
            files[-1].write_text(yaml.safe_dump(over), encoding="utf-8")
        arguments = [argument for file in files for argument in ("--values", str(file))]
        return manifests_in(helm("template", release, str(chart), "--namespace", NAMESPACE, *arguments))
