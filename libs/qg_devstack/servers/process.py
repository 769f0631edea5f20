"""One server as a child process: start, wait until it is ready, stop, and no orphan afterwards."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qg_devstack import spawn

from .errors import ServerFailed
from .run_as import RunAs

_POLL_S = 0.01
_LOG_TAIL_LINES = 15


@dataclass(frozen=True)
class Launch:
    """How to start one server: its command, where its log goes, and what ends it."""

    name: str
    command: Sequence[str]
    log_path: Path
    environment: Mapping[str, str]
    directory: Path
    death_signal: signal.Signals = signal.SIGKILL
    run_as: RunAs | None = None


def start(launch: Launch) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own (a Ctrl-C in the terminal reaches only us, who stop it in order).

    Raises RuntimeError outside the main thread: the kernel sends the death signal when the THREAD that forked ends.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("start servers from the main thread: they die with the thread that started them")
    user = [spawn.NOBODY_ELSE] * 2 if launch.run_as is None else [str(launch.run_as.uid), str(launch.run_as.gid)]
    shim = [sys.executable, "-I", "-S", str(spawn.__file__), str(os.getpid()), str(int(launch.death_signal)), *user]
    descriptor = os.open(launch.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        return subprocess.Popen(
            [*shim, *launch.command],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env=dict(launch.environment),
            cwd=launch.directory,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)


def wait_ready(
    process: subprocess.Popen[bytes], launch: Launch, is_ready: Callable[[], bool], *, timeout_s: float
) -> None:
    """Return when `is_ready`; raises ServerFailed when the process ends first or the time is up (and kills it)."""
    deadline = time.monotonic() + timeout_s
    while not is_ready():
        if process.poll() is not None:
            raise ServerFailed(f"{launch.name} ended with status {process.returncode}\n{tail(launch.log_path)}")
        if time.monotonic() > deadline:
            stop(process, (signal.SIGKILL,), grace_s=5)
            raise ServerFailed(f"{launch.name} was not ready after {timeout_s:g} s\n{tail(launch.log_path)}")
        time.sleep(_POLL_S)


def wait_done(process: subprocess.Popen[bytes], launch: Launch, *, timeout_s: float) -> None:
    """Return when the process has ended well; raises ServerFailed when it failed or the time is up (and kills it)."""
    try:
        status = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        stop(process, (signal.SIGKILL,), grace_s=5)
        raise ServerFailed(f"{launch.name} was not done after {timeout_s:g} s\n{tail(launch.log_path)}") from None
    if status:
        raise ServerFailed(f"{launch.name} ended with status {status}\n{tail(launch.log_path)}")


def stop(
    process: subprocess.Popen[bytes], signals: Sequence[signal.Signals] = (signal.SIGTERM,), *, grace_s: float
) -> None:
    """Send each signal in turn and wait `grace_s` after each; SIGKILL at the end. Nothing to do when it has ended."""
    for number in (*signals, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(timeout=grace_s)
        except subprocess.TimeoutExpired:
            continue


def tail(log_path: Path) -> str:
    """The last lines of a log, for an error text."""
    try:
        lines = log_path.read_text(errors="replace").splitlines()
    except OSError as error:
        return f"(no log: {error})"
    return "\n".join(lines[-_LOG_TAIL_LINES:])


def bare_environment() -> dict[str, str]:
    """What a server needs of our environment: no secret of ours travels to it by accident."""
    kept = ("PATH", "TZDIR", "TMPDIR", "DYLD_LIBRARY_PATH", "LD_LIBRARY_PATH")
    return {"LC_ALL": "C", "TZ": "UTC"} | {name: os.environ[name] for name in kept if name in os.environ}
