"""The running parts of a stack in the order in which they started: recorded for `make dev-down`, stopped backwards."""

import os
import signal
import time
from pathlib import Path
from typing import Protocol

from qg_devstack.identities import Identity
from qg_devstack.record import Place, Processes, StartedProcess
from qg_devstack.servers import PostgresServer
from qg_devstack.service import Service


class Part(Protocol):
    """A child process of the stack."""

    name: str
    log_path: Path

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def stop(self) -> None: ...


class Parts:
    """What was started so far."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._parts: list[Part] = []
        self._recorded = Processes(stack=_started("the stack", os.getpid(), signal.SIGTERM))
        place.write_processes(self._recorded)

    def add(self, part: Part) -> None:
        """Record a part right after its start, so that nothing outlives a stack that is killed."""
        self._parts.append(part)
        known = self._recorded
        is_postgres = isinstance(part, PostgresServer)
        # Postgres takes SIGTERM as "wait until every client has gone".
        entry = _started(part.name, part.pid, signal.SIGQUIT if is_postgres else signal.SIGTERM)
        directories = [*known.directories, *_directories_of(part)]
        self._recorded = Processes(known.stack, [*known.services, entry], directories)
        self._place.write_processes(self._recorded)

    def running(self) -> list[Part]:
        """Those that have not ended."""
        return [part for part in self._parts if part.poll() is None]

    def ended(self) -> list[tuple[Part, int]]:
        """Those that have ended, with their exit status (negative: the signal)."""
        found = [(part, part.poll()) for part in self._parts]
        return [(part, status) for part, status in found if status is not None]

    def stop(self) -> float:
        """Stop all, last started first; the services drain together. Returns how many seconds it took."""
        started = time.monotonic()
        for part in self._parts:
            if isinstance(part, Service):
                part.ask_to_stop()
        for part in reversed(self._parts):
            if isinstance(part, PostgresServer):
                part.remove()
            else:
                part.stop()
        return time.monotonic() - started


def _started(name: str, pid: int, stop_signal: signal.Signals) -> StartedProcess:
    return StartedProcess(name, pid, Identity.of(pid).started_ms, int(stop_signal))


def _directories_of(part: Part) -> list[str]:
    """What a part keeps outside `.dev/` (Postgres of root: its user can't reach the clone)."""
    if isinstance(part, PostgresServer) and os.geteuid() == 0:
        return [str(part.cluster.parent)]
    return []
