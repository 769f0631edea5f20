"""`make dev` as a child of a test: a `.dev` of its own, its output read as it comes."""

import contextlib
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 45.0


class Stack:
    """`make dev` in a `.dev` of its own, with its output read as it comes."""

    def __init__(self, place: Path, settings: Mapping[str, str]) -> None:
        self.place = place
        self.environment = {**os.environ, "DEV_SCALE": "0.02", **settings}
        self.lines: list[str] = []
        self._arrived: queue.Queue[str | None] = queue.Queue()
        self.process = self._run("up")
        threading.Thread(target=self._read, daemon=True).start()

    def _run(self, action: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "qg_devstack", action, "--place", str(self.place)]
        return subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._arrived.put(line.rstrip("\n"))
        self._arrived.put(None)

    def wait_for_line(self, wanted: str, timeout_s: float) -> str:
        """The first line not seen yet that holds `wanted`; fails with all that was said when it ends or takes long."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                line = self._arrived.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"{wanted!r} was not said within {timeout_s} s:\n" + "\n".join(self.lines))
            if line is None:
                pytest.fail(f"it ended before {wanted!r}:\n" + "\n".join(self.lines))
            self.lines.append(line)
            if wanted in line:
                return line

    def again(self, action: str) -> subprocess.CompletedProcess[str]:
        """A second `make dev` or `make dev-down` in the same clone."""
        process = self._run(action)
        output, _ = process.communicate(timeout=STOP_TIMEOUT_S)
        return subprocess.CompletedProcess(process.args, process.returncode, output)

    @property
    def record(self) -> dict[str, object]:
        """`stack.json`."""
        found: dict[str, object] = json.loads((self.place / "stack.json").read_text())
        return found

    def pids(self) -> dict[str, int]:
        """Every service's pid by name."""
        pids = dict(json.loads((self.place / "stack.json").read_text())["pids"])
        for kind in ("data_plane", "worker"):
            pids |= {f"{kind}_{number}": pid for number, pid in enumerate(pids.pop(f"{kind}s"), start=1)}
        return pids

    def processes(self) -> list[psutil.Process]:
        """Every process of every service."""
        found = []
        for pid in self.pids().values():
            found += [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        return found


def has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def free_base() -> int:
    """A PORT_BASE with nothing on its ports, below those that other tests' servers take."""
    for base in range(10_000 + os.getpid() % 50 * 60, 18_000, 60):
        with contextlib.ExitStack() as probes:
            try:
                for port in range(base, base + 60):
                    probes.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
        return base
    pytest.fail("no free ports")


@contextlib.contextmanager
def running_stack(clone: Path, **settings: str) -> Iterator[Stack]:
    """A stack from its first line to its end, whatever a test did to it."""
    started = Stack(clone / ".dev", {"PORT_BASE": str(free_base()), **settings})
    try:
        started.wait_for_line("Ctrl-C stops everything", START_TIMEOUT_S)
        yield started
    finally:
        started.again("down")
        if started.process.poll() is None:
            started.process.kill()
        started.process.wait()
