"""An embedded Redis on loopback: `noeviction`, a password, no files unless asked for."""

import secrets
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from . import binaries, process
from .errors import ServerFailed
from .ports import LOOPBACK, free_port

_START_TIMEOUT_S = 15.0
_STOP_GRACE_S = 5.0
_PORT_TRIES_MAX = 5
_PROBE_TIMEOUT_S = 1.0


@dataclass(frozen=True)
class RedisAddress:
    """How to reach a Redis server as its default user."""

    host: str
    port: int
    password: str

    def url(self, database: int = 0) -> str:
        """`redis://:password@host:port/database`, with the password in it."""
        return f"redis://:{quote(self.password, safe='')}@{self.host}:{self.port}/{database}"


@dataclass(frozen=True)
class RedisOptions:
    """Settings that differ between uses. `append_only` keeps what was written across restarts."""

    append_only: bool = False
    memory_max_mib: int = 512


class RedisServer:
    """One Redis; `start` and `stop` may be called again and again. `port` 0 takes a free one.

    The log lies in `directory`, or in `logs`.
    """

    name = "Redis"

    def __init__(
        self, directory: Path, *, port: int = 0, options: RedisOptions | None = None, logs: Path | None = None
    ) -> None:
        self._directory = directory
        self._options = options or RedisOptions()
        self._process: subprocess.Popen[bytes] | None = None
        self._port_given = port != 0
        self.address = RedisAddress(LOOPBACK, port, secrets.token_urlsafe(24))
        self.log_path = (logs or directory) / "redis.log"

    @property
    def pid(self) -> int:
        """The server's pid; raises ServerFailed when it was never started."""
        if self._process is None:
            raise ServerFailed("Redis was not started")
        return self._process.pid

    def start(self) -> None:
        """Return when Redis answers. Raises ServerFailed."""
        for tries_left in reversed(range(_PORT_TRIES_MAX)):
            port = self.address.port or free_port()
            try:
                self._start_on(port)
            except ServerFailed:
                if self._port_given or self.address.port or not tries_left:
                    raise
            else:
                self.address = RedisAddress(LOOPBACK, port, self.address.password)
                return

    def stop(self) -> None:
        """Ask Redis to end; it closes its append-only file first."""
        if self._process is not None:
            process.stop(self._process, (signal.SIGTERM,), grace_s=_STOP_GRACE_S)

    def kill(self) -> None:
        """SIGKILL, as a fault."""
        if self._process is not None:
            process.stop(self._process, (signal.SIGKILL,), grace_s=_STOP_GRACE_S)

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        return None if self._process is None else self._process.poll()

    def _start_on(self, port: int) -> None:
        # In a file, not on the command line, where every local user could read the password.
        settings_path = self._directory / "redis.conf"
        settings_path.touch(mode=0o600)
        settings_path.chmod(0o600)
        settings_path.write_text(self._settings(port))
        launch = process.Launch(
            name="Redis",
            command=[str(binaries.redis_server()), str(settings_path)],
            log_path=self.log_path,
            environment=process.bare_environment(),
            directory=self._directory,
            # A SIGTERM may wait for a slow disk; whoever kills us wants it gone.
            death_signal=signal.SIGTERM if self._options.append_only else signal.SIGKILL,
        )
        self._process = process.start(launch)
        address = RedisAddress(LOOPBACK, port, self.address.password)
        process.wait_ready(self._process, launch, lambda: _answers(address), timeout_s=_START_TIMEOUT_S)

    def _settings(self, port: int) -> str:
        values = {
            "bind": LOOPBACK,
            "port": str(port),
            "requirepass": self.address.password,
            "protected-mode": "yes",
            "maxmemory": f"{self._options.memory_max_mib}mb",
            "maxmemory-policy": "noeviction",
            "save": '""',
            "appendonly": "yes" if self._options.append_only else "no",
            "dir": f'"{self._directory}"',
            "daemonize": "no",
            "set-proc-title": "no",
            "enable-debug-command": "local",  # fault tests ask for DEBUG SLEEP and the like
        }
        return "".join(f"{name} {value}\n" for name, value in values.items())


def _answers(address: RedisAddress) -> bool:
    """Whether this very server answers: another one on the same port would not know the password."""
    try:
        with socket.create_connection((address.host, address.port), timeout=_PROBE_TIMEOUT_S) as connection:
            connection.sendall(f"AUTH {address.password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:
                received = connection.recv(256)
                if not received:
                    return False
                answer += received
    except OSError:
        return False
    return answer == b"+OK\r\n+PONG\r\n"
