"""`make dev` as a newcomer meets it: the printed lines give rows, nothing is left when it was killed."""

import argparse
import contextlib
import json
import os
import queue
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
_START_TIMEOUT_S = 90.0
_STOP_TIMEOUT_S = 45.0
_SHIM = """
import os, sys
from pathlib import Path
from qg_devstack.down import down
from qg_devstack.progress import Progress
from qg_devstack.record import Place
from qg_devstack.stack import up
place, progress = Place(Path(sys.argv[2])), Progress(sys.stdout)
raise SystemExit(up(place, os.environ, progress) if sys.argv[1] == "up" else down(place, progress.say))
"""


class Stack:
    """`make dev` in a `.dev` of its own, with its output read as it comes."""

    def __init__(self, place: Path, port_base: int) -> None:
        self.place = place
        self.environment = {**os.environ, "PORT_BASE": str(port_base), "DEV_SCALE": "0.02"}
        self.lines: list[str] = []
        self._arrived: queue.Queue[str | None] = queue.Queue()
        self.process = self._run("up")
        threading.Thread(target=self._read, daemon=True).start()

    def _run(self, action: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _SHIM, action, str(self.place)]
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
        output, _ = process.communicate(timeout=_STOP_TIMEOUT_S)
        return subprocess.CompletedProcess(process.args, process.returncode, output)

    @property
    def record(self) -> dict[str, object]:
        """`stack.json`."""
        found: dict[str, object] = json.loads((self.place / "stack.json").read_text())
        return found

    def pids(self) -> dict[str, int]:
        """Every service's pid by name."""
        pids = dict(json.loads((self.place / "stack.json").read_text())["pids"])
        data_planes = pids.pop("data_planes")
        assert pids.pop("workers") == []
        return pids | {f"data_plane_{number}": pid for number, pid in enumerate(data_planes, start=1)}

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


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)


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


def status_of(url: str) -> int:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - a loopback URL of the stack
        return int(answer.status)


def paste(line: str) -> bytes:
    """What a printed line answers; where there is no curl, the same request is sent without it."""
    if shutil.which("curl"):
        return subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True, timeout=30).stdout
    words = argparse.ArgumentParser()
    words.add_argument("-sS", action="store_true")
    words.add_argument("-H", action="append", default=[])
    words.add_argument("-u")
    words.add_argument("url")
    asked = words.parse_args(shlex.split(line)[1:])
    headers = dict(header.split(": ", 1) for header in asked.H)
    return httpx.get(asked.url, headers=headers, auth=tuple(asked.u.split(":", 1)) if asked.u else None).content


@contextlib.contextmanager
def running_stack(clone: Path) -> Iterator[Stack]:
    """A stack from its first line to its end, whatever a test did to it."""
    started = Stack(clone / ".dev", free_base())
    try:
        started.wait_for_line("Ctrl-C stops everything", _START_TIMEOUT_S)
        yield started
    finally:
        started.again("down")
        if started.process.poll() is None:
            started.process.kill()
        started.process.wait()


@pytest.fixture(scope="module")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for the tests that leave it whole; the last of them stops it."""
    with running_stack(tmp_path_factory.mktemp("clone")) as started:
        yield started


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack of this test alone."""
    with running_stack(tmp_path) as started:
        yield started


def test_every_printed_line_gives_rows(shared_stack: Stack) -> None:
    stack = shared_stack
    curls = [line for line in stack.lines if line.startswith("curl ")]
    assert len(curls) >= 6
    for line in curls:
        answer = json.loads(paste(line))
        assert answer["meta"]["row_count"] == len(answer["data"]) > 0, line
    assert any("Authorization: Bearer" in line for line in curls)
    assert any(" -u demo:" in line for line in curls)
    assert any("X-Api-Key" in line for line in curls)
    assert any(str(stack.record["admin_password"]) in line for line in stack.lines)

    commands = [" ".join(process.cmdline()) for process in stack.processes()]
    secrets = [stack.record["admin_password"], str(stack.record["postgres_url"]).split(":")[2].split("@")[0]]
    assert not [command for command in commands for secret in secrets if str(secret) in command]


# A reader pauses between writing and calling; here the data plane is told which revision to wait for instead.
_PATIENT_CURL = """
echo 0 > seen-revision
curl() {
    case "$*" in
        */api/v1/data/*) command curl -H "x-qg-min-revision: $(tail -n 1 seen-revision)" "$@" ;;
        *) command curl -D answer-headers "$@"
           sed -n 's/^x-qg-revision: *\\([0-9]*\\).*/\\1/p' answer-headers >> seen-revision ;;
    esac
}
"""


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="the tour is written for bash and curl")
def test_the_tour_of_the_readme_works_as_written(shared_stack: Stack) -> None:
    tour = (ROOT / "README.md").read_text().split("## A five-minute tour")[1].split("\n## ")[0]
    blocks = re.findall(r"```bash\n(.*?)```", tour, re.DOTALL)
    assert len(blocks) >= 4
    clone = shared_stack.place.parent
    (clone / ".venv").symlink_to(Path(sys.executable).parent.parent, target_is_directory=True)
    script = "\n".join([_PATIENT_CURL, *blocks])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=clone, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"ORDER_ID"') >= 2, "rows on both data planes before the rotation"
    assert "422" in done.stdout
    assert done.stdout.count("HTTP/1.1 401") == 2, "refused on both afterwards"


def test_ctrl_c_stops_everything_in_order(shared_stack: Stack) -> None:
    stack = shared_stack
    processes = stack.processes()
    stack.process.send_signal(signal.SIGINT)
    stack.wait_for_line("Everything is stopped", _STOP_TIMEOUT_S)
    assert stack.process.wait(timeout=10) == 0
    assert all(has_ended(process) for process in processes)
    assert not (stack.place / "stack.json").exists()


@pytest.mark.fault
def test_a_death_is_reported_and_a_killed_stack_leaves_nothing(stack: Stack) -> None:
    second = stack.again("up")
    assert second.returncode == 1
    assert "running already" in second.stdout
    assert "make dev-down" in second.stdout

    urls = [*stack.record["data_plane_urls"], *stack.record["data_plane_ops_urls"]]  # type: ignore[misc]
    pids = stack.pids()
    for name in ("redis", "data_plane_2", "postgres"):
        children = psutil.Process(pids[name]).children(recursive=True)
        os.kill(pids[name], signal.SIGKILL)
        said = stack.wait_for_line(f"(pid {pids[name]}) was ended by SIGKILL", 10)
        assert said
        wait_until(lambda left=children: all(has_ended(child) for child in left), f"no child of {name} is left")  # type: ignore[misc]
    assert psutil.Process(pids["control_plane"]).is_running()
    assert status_of(f"{urls[0]}/api/v1/data/items/categories") == 200, "the other data plane goes on"

    processes = [psutil.Process(pids[name]) for name in ("standin", "control_plane", "data_plane_1")]
    stack.process.kill()
    stack.process.wait()
    down = stack.again("down")
    assert down.returncode == 0, down.stdout
    wait_until(lambda: all(has_ended(process) for process in processes), "every service ended")
    assert stack.again("down").stdout.endswith("Nothing is running here.\n")
