"""`querygateway drain`: who is told, who is left alone, and how long it waits."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from cli.main import main

TIMEOUT_S = 20.0
TELLS = """
import signal, sys
signal.signal(signal.SIGUSR1, lambda *_: print("told", flush=True))
print("ready", flush=True)
sys.stdin.read()
"""
ENDS_OF_IT = """
import signal
signal.signal(signal.SIGUSR1, lambda *_: exit())
print("ready", flush=True)
signal.pause()
"""
EXPECTS_NOTHING = "import sys; print('ready', flush=True); sys.stdin.read()"

Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start_one(program: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start_one
    for process in started:
        process.kill()
        process.communicate(timeout=TIMEOUT_S)


def drain(pid: int, seconds: float = 0) -> int:
    return main(["drain", "--pid", str(pid), "--seconds", str(seconds)], {})


def test_a_service_is_told(start: Start) -> None:
    service = start(TELLS)
    assert drain(service.pid) == 0
    assert service.stdout is not None
    assert service.stdout.readline() == "told\n"


def test_a_process_that_would_die_of_it_is_left_alone(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    other = start(EXPECTS_NOTHING)
    assert drain(other.pid) == 1
    assert f"process {other.pid} takes no SIGUSR1" in capsys.readouterr().err
    other.communicate(timeout=TIMEOUT_S)  # it ends when its input does, and not of a signal
    assert other.returncode == 0


def test_a_process_that_is_not_there(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    gone = start(EXPECTS_NOTHING)
    gone.communicate(timeout=TIMEOUT_S)
    assert drain(gone.pid) == 1
    assert f"there is no process {gone.pid}" in capsys.readouterr().err


def test_it_waits_no_longer_than_the_service_lives(start: Start) -> None:
    service = start(ENDS_OF_IT)
    began = time.monotonic()
    waiter = subprocess.Popen([sys.executable, "-m", "cli.main", "drain", "--pid", str(service.pid), "--seconds", "60"])
    service.wait(TIMEOUT_S)
    assert waiter.wait(TIMEOUT_S) == 0
    assert time.monotonic() - began < 30


def test_it_waits_as_long_as_it_is_told(start: Start) -> None:
    began = time.monotonic()
    assert drain(start(TELLS).pid, 0.4) == 0
    assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize(
    "arguments", [["--pid", "0"], ["--pid", "-1"], ["--pid", "x"], ["--seconds", "nan"], ["--seconds", "-1"]]
)
def test_what_makes_no_sense_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["drain", *arguments], {})
    assert left.value.code == 2
