"""A pod of the chart as a process of this machine: what the kubelet does, as far as that goes without containers.

The environment is the manifest's and nothing else; secrets are files of a directory of its own, `STATE_DIR` too.
Listeners move to loopback and free ports, since all pods share one machine here.
"""

import http.client
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from helm.checks.environments import SECRETS_MOUNT, environment, files
from helm.checks.manifests import Manifest, pod_specs, title
from helm.checks.places import ROOT
from qg_devstack.servers.ports import LOOPBACK, free_port
from qg_devstack.servers.process import Launch, start, tail

TOOLS = ROOT / ".venv" / "bin"
LOOK_AGAIN_S = 0.05
ASK_TIMEOUT_S = 5.0


class RehearsalFailed(RuntimeError):
    """A pod did not do what the manifest expects of it; the message says what, with the end of its log."""


class RehearsedPod:
    """One workload of a rendered chart, with its directory under `place`."""

    def __init__(self, manifests: list[Manifest], workload: Manifest, place: Path) -> None:
        self.name = title(workload)
        self.spec: dict[str, Any] = next(spec for _, spec in pod_specs([workload]))
        self._container = self.spec["containers"][0]
        self._place: Path = place / workload["metadata"]["name"]
        self._place.mkdir(mode=0o700)
        self._environ = self._translated(environment(manifests, self.spec))
        self.ports = {name: int(self._environ[name]) for name in ("PORT", "OPS_PORT") if name in self._environ}
        self._process: subprocess.Popen[bytes] | None = None
        for path, text in files(manifests, self.spec).items():
            if text is None:
                raise RehearsalFailed(f"{self.name}: {path} is in no Secret of the chart")
            self._file(path).write_text(text, encoding="utf-8")

    def _file(self, path: str) -> Path:
        return self._place / path.removeprefix(f"{SECRETS_MOUNT}/")

    def _translated(self, environ: dict[str, str]) -> dict[str, str]:
        moved = dict(environ)
        for name, text in environ.items():
            if text.startswith(f"{SECRETS_MOUNT}/"):
                moved[name] = str(self._file(text))
            elif name in {"HOST", "OPS_HOST"}:
                moved[name] = LOOPBACK
            elif name in {"PORT", "OPS_PORT"}:
                moved[name] = str(free_port())
            elif name == "STATE_DIR":
                moved[name] = str(self._place / "state")
        return moved

    @property
    def log(self) -> Path:
        """What it writes."""
        return self._place / "log"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Its process."""
        if self._process is None:
            raise RehearsalFailed(f"{self.name} was never started")
        return self._process

    def start(self) -> None:
        """Start its command with its environment, and with the tools where the image has them."""
        command = [*self._container["command"], *self._container["args"]]
        environ = {**self._environ, "PATH": f"{TOOLS}:{os.environ['PATH']}"}
        command[0] = str(TOOLS / command[0])
        self._process = start(
            Launch(name=self.name, command=command, log_path=self.log, environment=environ, directory=self._place)
        )

    def wait_for_end(self, timeout_s: float) -> None:
        """Return when it has ended well. Raises `RehearsalFailed`."""
        try:
            status = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise RehearsalFailed(f"{self.name} has not ended after {timeout_s:g} s\n{tail(self.log)}") from None
        if status != 0:
            raise RehearsalFailed(f"{self.name} ended with status {status}\n{tail(self.log)}")

    def status_of(self, probe: str) -> int:
        """What it answers to one of the manifest's probes; 0 when it doesn't."""
        return status_at(self.ports["OPS_PORT"], self._container[probe]["httpGet"]["path"])

    def wait_for(self, probe: str, timeout_s: float, *, status: int = 200) -> None:
        """Return when a probe is answered with `status`. Raises `RehearsalFailed`."""
        deadline = time.monotonic() + timeout_s
        while self.status_of(probe) != status:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RehearsalFailed(f"{self.name}: {probe} was not answered with {status}\n{tail(self.log)}")
            time.sleep(LOOK_AGAIN_S)

    def start_pre_stop(self) -> subprocess.Popen[bytes]:
        """The manifest's hook, for this process instead of process 1."""
        command = list(self._container["lifecycle"]["preStop"]["exec"]["command"])
        command[0] = str(TOOLS / command[0])
        return subprocess.Popen([*command, "--pid", str(self.process.pid)])  # noqa: S603

    def stop(self) -> None:
        """SIGTERM, and as long as the manifest gives. Raises `RehearsalFailed` when it ends otherwise than well."""
        self.process.send_signal(signal.SIGTERM)
        self.wait_for_end(float(self.spec["terminationGracePeriodSeconds"]))

    def kill(self) -> None:
        """End it, whatever it does."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def status_at(port: int, path: str) -> int:
    """The status that `GET path` on loopback gives; 0 when nobody answers."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=ASK_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
