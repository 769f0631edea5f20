"""`make dev-down` after a kill: it stops what the record names, and nothing that merely has the same pid."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qg_devstack.down import clear_leftovers, down
from qg_devstack.identities import Identity
from qg_devstack.record import Place, Processes, StartedProcess

_STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
)
_POLITE = "import time; print('up', flush=True); time.sleep(60)"


@pytest.fixture
def sleepers() -> Iterator[list[subprocess.Popen[str]]]:
    made = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for code in (_POLITE, _STUBBORN)
    ]
    for process in made:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
    yield made
    for process in made:
        process.kill()
        process.wait()


def entry(name: str, pid: int, *, shift_ms: int = 0) -> StartedProcess:
    return StartedProcess(name, pid, Identity.of(pid).started_ms + shift_ms, int(signal.SIGTERM))


def ended_stack() -> StartedProcess:
    process = subprocess.Popen([sys.executable, "-c", _POLITE])
    recorded = entry("the stack", process.pid)
    process.kill()
    process.wait()
    return recorded


def test_services_of_a_killed_stack_are_stopped(tmp_path: Path, sleepers: list[subprocess.Popen[str]]) -> None:
    place = Place(tmp_path)
    services = [entry(f"service {number}", process.pid) for number, process in enumerate(sleepers)]
    place.write_processes(Processes(ended_stack(), services))
    said: list[str] = []
    assert clear_leftovers(place, said.append, grace_s=0.5) == []
    assert [process.wait(timeout=5) for process in sleepers] == [-signal.SIGTERM, -signal.SIGKILL]
    assert place.read_processes() is None
    assert down(place, said.append) == 0
    assert said[-1] == "Nothing is running here."


def test_a_process_with_a_recycled_pid_is_left_alone(tmp_path: Path, sleepers: list[subprocess.Popen[str]]) -> None:
    place = Place(tmp_path)
    services = [entry("service", process.pid, shift_ms=-60_000) for process in sleepers]
    place.write_processes(Processes(ended_stack(), services))
    assert down(place, lambda _: None) == 0
    assert [process.poll() for process in sleepers] == [None, None]


def test_only_directories_that_a_stack_makes_are_deleted(tmp_path: Path) -> None:
    precious, leftover = tmp_path / "precious", tmp_path / "qg-postgres-1-1-x"
    for directory in (precious, leftover):
        directory.mkdir()
    place = Place(tmp_path)
    place.write_processes(Processes(ended_stack(), [], [str(precious), str(leftover), "/"]))
    assert down(place, lambda _: None) == 0
    assert (precious.exists(), leftover.exists()) == (True, False)
