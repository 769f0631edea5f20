"""What a stack leaves in `.dev/`: `stack.json` for people and tests, `processes.json` for `make dev-down`."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from qg_devstack.identities import Identity


class StackRunning(Exception):
    """Another stack of this clone is running."""


class OracleAccess(msgspec.Struct, frozen=True):
    """How to reach the demo database."""

    host: str
    port: int
    service_name: str
    user: str
    password: str


class StackPids(msgspec.Struct, frozen=True):
    """The process of each service; None for a server that is your own."""

    postgres: int | None
    redis: int | None
    standin: int | None
    control_plane: int
    data_planes: list[int]
    workers: list[int]


class StackRecord(msgspec.Struct, frozen=True):
    """The contents of `stack.json`. The URLs carry full rights."""

    control_plane_url: str
    control_plane_ops_url: str
    data_plane_urls: list[str]
    data_plane_ops_urls: list[str]
    worker_ops_urls: list[str]
    admin_username: str
    admin_password: str
    oracle: OracleAccess
    postgres_url: str
    redis_url: str
    pids: StackPids


class StartedProcess(msgspec.Struct, frozen=True):
    """One process of the stack: a recycled pid has another start time and is never touched."""

    name: str
    pid: int
    started_ms: int
    stop_signal: int

    @property
    def identity(self) -> Identity:
        """What tells it from a later process with the same pid."""
        return Identity(self.pid, self.started_ms)


class Processes(msgspec.Struct, frozen=True):
    """The contents of `processes.json`: what runs, in the order of starting, and directories to delete at the end."""

    stack: StartedProcess
    services: list[StartedProcess] = []
    directories: list[str] = []


class Place:
    """The directory `.dev` of one clone; closed to other users."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.run = root / "run"
        self.logs = root / "logs"
        self._stack_path = root / "stack.json"
        self._processes_path = root / "processes.json"
        self._lock_path = root / "lock"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the place for one stack. Raises StackRunning. The kernel lets go of it when we die, however we die."""
        self.root.mkdir(mode=0o700, exist_ok=True)
        self.root.chmod(0o700)
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackRunning from None
            yield
        finally:
            os.close(descriptor)

    def write_stack(self, record: StackRecord) -> None:
        """Leave `stack.json`, mode 0600, whole or not at all."""
        _write(self._stack_path, msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")

    def read_stack(self) -> StackRecord | None:
        """The record of the stack that runs, if it got as far as writing one."""
        try:
            return msgspec.json.decode(self._stack_path.read_bytes(), type=StackRecord)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def write_processes(self, processes: Processes) -> None:
        """Leave `processes.json`; called after every start."""
        _write(self._processes_path, msgspec.json.encode(processes))

    def read_processes(self) -> Processes | None:
        """What the last stack started; None when it ended in order."""
        try:
            return msgspec.json.decode(self._processes_path.read_bytes(), type=Processes)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def forget(self) -> None:
        """Nothing runs any more."""
        for path in (self._stack_path, self._processes_path):
            path.unlink(missing_ok=True)


def _write(path: Path, contents: bytes) -> None:
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(contents)
    unfinished.rename(path)
