"""The Oracle stand-in as a child process."""

import os
import secrets
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from . import process
from .errors import ServerFailed
from .ports import LOOPBACK, free_port

_START_TIMEOUT_S = 60.0
_STOP_GRACE_S = 5.0
_PORT_TRIES_MAX = 5
_READY_LINE = "qg_standin listening on "


@dataclass(frozen=True)
class StandinAddress:
    """How to reach an Oracle database, real or stand-in."""

    host: str
    port: int
    service_name: str
    user: str
    password: str

    @property
    def dsn(self) -> str:
        """`host:port/service_name`, as the driver takes it."""
        return f"{self.host}:{self.port}/{self.service_name}"


@dataclass(frozen=True)
class StandinOptions:
    """How much demo data the stand-in holds: 1.0 is the size that docs/development.md describes."""

    scale: float = 0.05
    demo: bool = True
    user: str = "qg_reader"
    service_name: str = "FREEPDB1"


class StandinServer:
    """One stand-in; `start` and `stop` may be called again and again. `port` 0 takes a free one.

    The log lies in `directory`, or in `logs`.
    """

    name = "Oracle stand-in"

    def __init__(
        self, directory: Path, *, port: int = 0, options: StandinOptions | None = None, logs: Path | None = None
    ) -> None:
        self._directory = directory
        self._options = options or StandinOptions()
        self._process: subprocess.Popen[bytes] | None = None
        self._launch: process.Launch | None = None
        self._port_given = port != 0
        self.address = StandinAddress(
            LOOPBACK, port, self._options.service_name, self._options.user, secrets.token_urlsafe(18)
        )
        self.log_path = (logs or directory) / "standin.log"

    @property
    def pid(self) -> int:
        """The server's pid; raises ServerFailed when it was never started."""
        if self._process is None:
            raise ServerFailed("the stand-in was not started")
        return self._process.pid

    def start(self) -> None:
        """Return when the stand-in listens. Raises ServerFailed."""
        for tries_left in reversed(range(_PORT_TRIES_MAX)):
            port = self.address.port or free_port()
            try:
                self._start_on(port)
            except ServerFailed:
                if self._port_given or self.address.port or not tries_left:
                    raise
            else:
                known = self.address
                self.address = StandinAddress(LOOPBACK, port, known.service_name, known.user, known.password)
                return

    def stop(self) -> None:
        """Ask the stand-in to end."""
        if self._process is not None:
            process.stop(self._process, (signal.SIGTERM,), grace_s=_STOP_GRACE_S)

    def kill(self) -> None:
        """SIGKILL, as a fault."""
        if self._process is not None:
            process.stop(self._process, (signal.SIGKILL,), grace_s=_STOP_GRACE_S)

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        return None if self._process is None else self._process.poll()

    def begin(self) -> None:
        """Start it on the port that was given and return at once; `wait_ready` comes later."""
        self._launch_on(self.address.port)

    def wait_ready(self) -> None:
        """Return when it listens. Raises ServerFailed."""
        if self._process is None or self._launch is None:
            raise ServerFailed("the stand-in was not started")
        process.wait_ready(self._process, self._launch, self._says_ready, timeout_s=_START_TIMEOUT_S)

    def _start_on(self, port: int) -> None:
        self._launch_on(port)
        self.wait_ready()

    def _launch_on(self, port: int) -> None:
        password_path = self._directory / "standin-password"
        password_path.touch(mode=0o600)
        password_path.chmod(0o600)
        password_path.write_text(self.address.password)
        self.log_path.unlink(missing_ok=True)  # its ready line must be this start's
        self._launch = process.Launch(
            name="the stand-in",
            command=self._command(port, password_path),
            log_path=self.log_path,
            environment=process.bare_environment() | {"PYTHONUNBUFFERED": "1", "HOME": os.environ.get("HOME", "/")},
            directory=self._directory,
        )
        self._process = process.start(self._launch)

    def _command(self, port: int, password_path: Path) -> list[str]:
        command = [sys.executable, "-m", "qg_standin", "--host", LOOPBACK, "--port", str(port)]
        command += ["--user", self._options.user, "--password-file", str(password_path)]
        command += ["--service", self._options.service_name]
        if self._options.demo:
            command += ["--demo", "--scale", str(self._options.scale)]
        return command

    def _says_ready(self) -> bool:
        try:
            lines = self.log_path.read_text(errors="replace").splitlines()
        except OSError:
            return False
        return any(line.startswith(_READY_LINE) for line in lines)
