"""An embedded Postgres on loopback: initdb once, then `postgres` as our child; scram passwords, no unix socket."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil

from qg_devstack.identities import Identity

from . import binaries, process
from .errors import ServerFailed
from .memory_place import memory_place
from .ports import LOOPBACK, free_port
from .run_as import RunAs, reachable_root, unprivileged_user

_START_TIMEOUT_S = 30.0
_STOP_GRACE_S = 10.0
_PORT_TRIES_MAX = 5
_CLUSTER_PREFIX = "qg-postgres-"


@dataclass(frozen=True)
class PostgresAddress:
    """How to reach a Postgres server as its superuser."""

    host: str
    port: int
    user: str
    password: str

    def url(self, database: str = "postgres") -> str:
        """`postgresql://user:password@host:port/database`, with the password in it."""
        return f"postgresql://{quote(self.user)}:{quote(self.password, safe='')}@{self.host}:{self.port}/{database}"


@dataclass(frozen=True)
class PostgresOptions:
    """Settings that differ between uses. `fsync` off is for tests alone: a power cut then ruins the cluster."""

    fsync: bool = False
    connections_max: int = 200
    shared_buffers_mib: int = 64


class PostgresServer:
    """One cluster in a directory of its own; `start` and `stop` may be called again and again, the rows stay.

    `port` 0 takes a free one. `directory` holds the cluster and the log. Without `fsync` the cluster lies in memory
    where there is room, and for root under /tmp, owned by the user that Postgres runs as: `cluster` says where. Call
    `remove` at the end. `logs` takes the log elsewhere.
    """

    name = "Postgres"

    def __init__(
        self, directory: Path, *, port: int = 0, options: PostgresOptions | None = None, logs: Path | None = None
    ) -> None:
        self._directory = directory
        self._options = options or PostgresOptions()
        self._run_as: RunAs | None = unprivileged_user()
        self._bin = binaries.postgres_bin(for_other_user=self._run_as is not None)
        self._process: subprocess.Popen[bytes] | None = None
        self._port_given = port != 0
        self.address = PostgresAddress(LOOPBACK, port, "postgres", secrets.token_urlsafe(24))
        self.log_path = (logs or directory) / "postgres.log"
        self.cluster = self._make_cluster_directory()
        self._initialised = False

    @property
    def pid(self) -> int:
        """The postmaster's pid; raises ServerFailed when it was never started."""
        if self._process is None:
            raise ServerFailed("Postgres was not started")
        return self._process.pid

    def start(self) -> None:
        """Return when Postgres takes connections. Raises ServerFailed."""
        if not self._initialised:
            self._initialise()
        for tries_left in reversed(range(_PORT_TRIES_MAX)):
            port = self.address.port or free_port()
            try:
                self._start_on(port)
            except ServerFailed:
                # Another process may have taken the port since we looked; one that was given is not changed.
                if self._port_given or self.address.port or not tries_left:
                    raise
            else:
                self.address = PostgresAddress(LOOPBACK, port, self.address.user, self.address.password)
                return

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, a checkpoint is written."""
        if self._process is not None:
            process.stop(self._process, (signal.SIGINT, signal.SIGQUIT), grace_s=_STOP_GRACE_S)

    def kill(self) -> None:
        """SIGKILL to the postmaster, as a fault; returns when its children, who notice, have ended too."""
        if self._process is None or self._process.poll() is not None:
            return
        children = psutil.Process(self._process.pid).children(recursive=True)
        process.stop(self._process, (signal.SIGKILL,), grace_s=_STOP_GRACE_S)
        # A start before that is refused: they still hold the shared memory.
        psutil.wait_procs(children, timeout=_STOP_GRACE_S)

    def remove(self) -> None:
        """Stop and delete the cluster."""
        if self._process is not None:
            process.stop(self._process, (signal.SIGQUIT,), grace_s=_STOP_GRACE_S)
        apart = self.cluster.parent != self._directory
        shutil.rmtree(self.cluster.parent if apart else self.cluster, ignore_errors=True)

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        return None if self._process is None else self._process.poll()

    def _make_cluster_directory(self) -> Path:
        memory = None if self._options.fsync else memory_place()
        if self._run_as is None and memory is None:
            return self._directory / "postgres"
        place = memory or reachable_root(lasting=False)
        _sweep(place)
        prefix = f"{_CLUSTER_PREFIX}{Identity.of(os.getpid()).text}-"
        outer = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        outer.chmod(0o711)
        cluster = outer / "cluster"
        cluster.mkdir(mode=0o700)
        if self._run_as is not None:
            os.chown(cluster, self._run_as.uid, self._run_as.gid)
        return cluster

    def _initialise(self) -> None:
        password_file = self.cluster.parent / "postgres-password"
        descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(self.address.password)
        if self._run_as is not None:
            os.chown(password_file, self._run_as.uid, self._run_as.gid)
        command = [str(self._bin / "initdb"), "--pgdata", str(self.cluster), "--username", self.address.user]
        command += ["--pwfile", str(password_file), "--auth", "scram-sha-256", "--encoding", "UTF8"]
        command += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"]
        command += ["--no-sync", "--no-instructions", "--set", "shared_buffers=16MB"]
        if not self._options.fsync:
            # For tests, whose passwords nobody guesses and whose connections are thousands: 3 ms less for each.
            command += ["--set", "scram_iterations=1"]
        launch = self._launch("initdb", command)
        try:
            running = process.start(launch)
            # Not "ready" but at its end: a look at the one and a look at the other may lie on both sides of it.
            process.wait_done(running, launch, timeout_s=_START_TIMEOUT_S)
        finally:
            password_file.unlink()
        with (self.cluster / "postgresql.auto.conf").open("a") as file:
            file.write(self._settings())
        self._initialised = True

    def _settings(self) -> str:
        durable = "on" if self._options.fsync else "off"
        values = {
            "listen_addresses": f"'{LOOPBACK}'",
            "unix_socket_directories": "''",
            "max_connections": str(self._options.connections_max),
            "shared_buffers": f"{self._options.shared_buffers_mib}MB",
            "fsync": durable,
            "synchronous_commit": durable,
            "full_page_writes": durable,
            "timezone": "'UTC'",
            "log_timezone": "'UTC'",
            "max_wal_size": "256MB",
            "min_wal_size": "32MB",
            "log_checkpoints": "off",
            # Statements may carry secrets; a developer who needs them turns this on per session.
            "log_min_error_statement": "panic",
        }
        return "".join(f"{name} = {value}\n" for name, value in values.items())

    def _start_on(self, port: int) -> None:
        launch = self._launch("Postgres", [str(self._bin / "postgres"), "-D", str(self.cluster), "-p", str(port)])
        self._process = process.start(launch)
        running = self._process
        process.wait_ready(running, launch, lambda: self._says_ready(running.pid), timeout_s=_START_TIMEOUT_S)

    def _says_ready(self, pid: int) -> bool:
        """The postmaster writes its state on line 8 of postmaster.pid (what pg_ctl waits for, too)."""
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def _launch(self, name: str, command: list[str]) -> process.Launch:
        return process.Launch(
            name=name,
            command=command,
            log_path=self.log_path,
            environment=process.bare_environment(),
            directory=self.cluster if self._run_as is None and self.cluster.exists() else Path("/"),
            # Immediate shutdown: it takes its shared memory and its children along, a SIGKILL would not.
            death_signal=signal.SIGQUIT,
            run_as=self._run_as,
        )


def _sweep(place: Path) -> None:
    """Delete the clusters that processes of ours left there when they were killed; one that still runs is kept."""
    for outer in place.glob(f"{_CLUSTER_PREFIX}*"):
        try:
            maker = Identity.from_text(outer.name.removeprefix(_CLUSTER_PREFIX).rsplit("-", 1)[0])
            if outer.lstat().st_uid != os.geteuid() or maker.is_running():
                continue
            postmaster = (outer / "cluster" / "postmaster.pid").read_text().split()[0]
        except FileNotFoundError:
            postmaster = ""
        except (ValueError, IndexError, OSError):
            continue
        if not (postmaster.isdigit() and psutil.pid_exists(int(postmaster))):
            shutil.rmtree(outer, ignore_errors=True)


def is_cluster_directory(path: Path) -> bool:
    """Whether a directory is one that a server of ours made outside its own directory (as root it must)."""
    try:
        return path.name.startswith(_CLUSTER_PREFIX) and path.lstat().st_uid == os.geteuid() and not path.is_symlink()
    except FileNotFoundError:
        return False
