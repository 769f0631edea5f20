"""Stop a stack from outside: the one that runs, or what is left of one that was killed."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from qg_devstack.identities import Identity
from qg_devstack.record import Place, Processes, StartedProcess
from qg_devstack.servers.postgres import is_cluster_directory

_STACK_GRACE_S = 45.0
_SERVICE_GRACE_S = 10.0
_KILL_GRACE_S = 5.0
_POLL_S = 0.05


def down(place: Place, say: Callable[[str], None]) -> int:
    """Stop everything that `processes.json` names. Exit status: 1 when something is still there."""
    recorded = place.read_processes()
    if recorded is None:
        say("Nothing is running here.")
        return 0
    stack = recorded.stack.identity
    if stack.is_running():
        say(f"Asking the stack (pid {stack.pid}) to stop")
        _signal(stack, signal.SIGTERM)
        if not _wait_ended([stack], _STACK_GRACE_S):
            say("It does not: killing it")
            _signal(stack, signal.SIGKILL)
            _wait_ended([stack], _KILL_GRACE_S)
    left = clear_leftovers(place, say)
    if left:
        say(f"Still running: {', '.join(f'{process.name} (pid {process.pid})' for process in left)}")
        return 1
    say("Everything is stopped.")
    return 0


def clear_leftovers(
    place: Place, say: Callable[[str], None], *, grace_s: float = _SERVICE_GRACE_S
) -> list[StartedProcess]:
    """Stop what a killed stack left behind and delete its directories; returns what could not be stopped.

    Whatever has not ended `grace_s` after being asked is killed.
    """
    recorded = place.read_processes()
    if recorded is None:
        return []
    running = [process for process in recorded.services if process.identity.is_running()]
    for process in reversed(running):
        say(f"Stopping {process.name} (pid {process.pid}), left by a stack that was killed")
        _signal(process.identity, signal.Signals(process.stop_signal))
    if not _wait_ended([process.identity for process in running], grace_s):
        for process in running:
            _signal(process.identity, signal.SIGKILL)
        _wait_ended([process.identity for process in running], _KILL_GRACE_S)
    left = [process for process in running if process.identity.is_running()]
    if not left:
        _delete_directories(recorded)
        shutil.rmtree(place.run, ignore_errors=True)
        place.forget()
    return left


def _delete_directories(recorded: Processes) -> None:
    for name in recorded.directories:
        # The list lies in a file: delete nothing but what a stack makes.
        if is_cluster_directory(Path(name)):
            shutil.rmtree(name, ignore_errors=True)


def _signal(identity: Identity, number: signal.Signals) -> None:
    if identity.is_running():
        try:
            os.kill(identity.pid, number)
        except ProcessLookupError:
            return


def _wait_ended(identities: Sequence[Identity], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while any(identity.is_running() for identity in identities):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True
