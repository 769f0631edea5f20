"""The shim that becomes a server: whose child it is, as whom it runs, and when it refuses."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from qg_devstack import spawn

_SHIM = [sys.executable, "-I", "-S", str(spawn.__file__)]


def shim(*, parent: int | None = None, command: str = "import os; print(os.getuid(), os.getpid())") -> str:
    argument = str(os.getpid() if parent is None else parent)
    interpreter = str(Path(sys.executable).resolve())
    told = [argument, str(int(signal.SIGKILL)), spawn.NOBODY_ELSE, spawn.NOBODY_ELSE]
    server = [interpreter, "-I", "-S", "-c", command]
    process = subprocess.Popen([*_SHIM, *told, *server], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output, _ = process.communicate(timeout=20)
    return f"{process.returncode} {process.pid} {output.strip()}"


def test_the_server_takes_the_shims_place() -> None:
    status, pid, uid, own_pid = shim().split()
    assert (status, uid) == ("0", str(os.getuid()))
    assert pid == own_pid


def test_nothing_is_started_when_the_parent_has_gone_meanwhile() -> None:
    status, _, *said = shim(parent=os.getppid()).split()
    assert (status, said) == ("1", [])


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_no_server_can_gain_rights() -> None:
    output = shim(command="print([line for line in open('/proc/self/status') if line.startswith('NoNewPrivs')])")
    assert "NoNewPrivs:\\t1" in output
