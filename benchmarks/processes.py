"""Processes of a benchmark: what they cost, and the load generator in a process of its own."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import msgspec

from benchmarks.load import LoadOrder, LoadReport

REPOSITORY = Path(__file__).parents[1]


def set_one_processor_apart() -> int:
    """One processor for the servers that are measured: this process and its later children keep to the others.

    Where there is only one, all share it.
    """
    first, *others = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, others or [first])
    return first


class Memory:
    """Resident memory of a process, from Linux' /proc."""

    def __init__(self, pid: int) -> None:
        self._proc = Path(f"/proc/{pid}")

    def reset_peak(self) -> None:
        """Forget the peak so far."""
        (self._proc / "clear_refs").write_text("5")

    def now_bytes(self) -> int:
        """Resident now."""
        return self._read("VmRSS:")

    def peak_bytes(self) -> int:
        """The most that was resident since `reset_peak`."""
        return self._read("VmHWM:")

    def _read(self, field: str) -> int:
        for line in (self._proc / "status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) * 1024
        raise RuntimeError(f"no {field} in {self._proc}/status")


class Process:
    """A server to measure, on one processor; stopped with the benchmark. Its output goes to `log`."""

    def __init__(self, arguments: list[str], environ: dict[str, str], log: Path, processor: int) -> None:
        with log.open("wb") as output:
            self._child = subprocess.Popen(
                [sys.executable, *arguments], env=environ, cwd=REPOSITORY, stdout=output, stderr=output
            )
        os.sched_setaffinity(self._child.pid, [processor])  # before it has threads: they inherit it
        self._log = log

    @property
    def pid(self) -> int:
        return self._child.pid

    def check(self) -> None:
        """Raise `RuntimeError` with the end of its log when it has ended."""
        if self._child.poll() is not None:
            raise RuntimeError(f"it ended with {self._child.returncode}: {self._log.read_text()[-2000:]}")

    def stop(self) -> None:
        """Ask it to stop, then make it."""
        self._child.terminate()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


class LoadProcess:
    """The load generator, kept running so that its start costs nothing while something is measured."""

    def __enter__(self) -> "LoadProcess":
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load", "--orders"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(5)

    def run(self, order: LoadOrder) -> list[LoadReport]:
        """Run one load and wait for its reports, one for each target."""
        if self._child.stdin is None or self._child.stdout is None:
            raise RuntimeError("the load generator has no pipes")
        self._child.stdin.write(msgspec.json.encode(order) + b"\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError("the load generator ended")
        return msgspec.json.decode(line, type=list[LoadReport])
