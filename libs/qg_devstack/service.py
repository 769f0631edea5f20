"""One service of the gateway (control plane, data plane, worker) as a child process."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qg_devstack.servers import process
from qg_devstack.servers.errors import ServerFailed

_READY_TIMEOUT_S = 60.0
_PROBE_TIMEOUT_S = 2.0
STOP_GRACE_S = 10.0


@dataclass(frozen=True)
class ServiceOptions:
    """What to start: `subcommand` of `querygateway`, its settings, and where its ops port answers."""

    name: str
    subcommand: str
    settings: Mapping[str, str]
    ops_url: str
    directory: Path
    log_path: Path


class Service:
    """One running service. `begin` and `wait_ready` are apart so that several can start at once."""

    def __init__(self, options: ServiceOptions) -> None:
        self.name = options.name
        self.log_path = options.log_path
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._launch = process.Launch(
            name=options.name,
            command=[*querygateway(), options.subcommand],
            log_path=options.log_path,
            environment=service_environment() | dict(options.settings),
            directory=options.directory,
            death_signal=signal.SIGKILL,
        )

    @property
    def pid(self) -> int:
        """Its pid; raises ServerFailed when it was never started."""
        return self._running().pid

    def begin(self) -> None:
        """Start it and return at once."""
        self._process = process.start(self._launch)

    def wait_ready(self) -> None:
        """Return when `/-/ready` says 200. Raises ServerFailed with the end of its log."""
        process.wait_ready(
            self._running(), self._launch, lambda: _is_ready(self._options.ops_url), timeout_s=_READY_TIMEOUT_S
        )

    def ask_to_stop(self) -> None:
        """SIGTERM, and return at once: several can drain together."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """SIGTERM: it drains and ends; SIGKILL when that takes too long."""
        if self._process is not None:
            process.stop(self._process, (signal.SIGTERM,), grace_s=STOP_GRACE_S)

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        return None if self._process is None else self._process.poll()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerFailed(f"{self.name} was not started")
        return self._process


def querygateway() -> list[str]:
    """The command as it is installed beside this interpreter."""
    return [str(Path(sys.executable).with_name("querygateway"))]


def service_environment() -> dict[str, str]:
    """What a service inherits: no setting of the developer's own shell leaks in."""
    return process.bare_environment() | {"PYTHONUNBUFFERED": "1", "HOME": os.environ.get("HOME", "/")}


def _is_ready(ops_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{ops_url}/-/ready", timeout=_PROBE_TIMEOUT_S) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
