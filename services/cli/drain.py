"""`drain`: tell a running service that it is about to be stopped, and give load balancers the time to notice."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from cli.subcommands import Subcommands, add_subcommand

DRAIN_SIGNAL = signal.SIGUSR1
SECONDS = 10.0
SECONDS_MAX = 3600.0
LOOK_EVERY_S = 0.2

_DETAILS = """\
Sends SIGUSR1 to a service, then waits. The service is not ready from then on; it serves on and
answers with `Connection: close`, so that clients and load balancers go elsewhere. A worker takes
no new runs. There is no way back: stop the service afterwards (SIGTERM).

In a container the service is process 1, so as a hook before the stop, or by hand:
  docker exec CONTAINER querygateway drain --seconds 10 && docker stop CONTAINER
Seconds: longer than load balancers take to look at /-/ready and act on it.
"""


class DrainRefused(Exception):
    """The process can't be told; the message says why."""


def add_to(subcommands: Subcommands) -> None:
    """Declare `drain`."""
    parser = add_subcommand(subcommands, "drain", "make a service not ready, before it is stopped", _DETAILS, run)
    parser.add_argument("--pid", type=_pid, default=1, help="the service's process (default: 1, as in a container)")
    parser.add_argument(
        "--seconds", type=_seconds, default=SECONDS, help=f"how long to wait afterwards (default: {SECONDS:.0f})"
    )


def run(arguments: argparse.Namespace, _: Mapping[str, str]) -> int:
    """Tell it, wait; done when the time is over or the process has ended."""
    try:
        tell(arguments.pid)
    except DrainRefused as error:
        print(f"querygateway: {error}", file=sys.stderr)
        return 1
    over_at = time.monotonic() + arguments.seconds
    while (left_s := over_at - time.monotonic()) > 0 and _lives(arguments.pid):
        time.sleep(min(left_s, LOOK_EVERY_S))
    return 0


def tell(pid: int) -> None:
    """Send the signal. Raises `DrainRefused`.

    A process that does not wait for it would be ended by it: so it is looked up first, where the system can say.
    """
    if not _expects(pid):
        raise DrainRefused(
            f"process {pid} takes no {DRAIN_SIGNAL.name}: no service of the gateway, or one that is starting"
        )
    try:
        os.kill(pid, DRAIN_SIGNAL)
    except ProcessLookupError:
        raise DrainRefused(f"there is no process {pid}") from None
    except PermissionError:
        raise DrainRefused(f"process {pid} is another user's") from None


def _expects(pid: int) -> bool:
    """Whether the process handles the signal (Linux: proc_pid_status(5), SigCgt); True where nobody can say."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "SigCgt":
            return bool(int(value, 16) >> (DRAIN_SIGNAL - 1) & 1)
    return True


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _pid(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 2**22:
        raise argparse.ArgumentTypeError("must be the number of a process")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= SECONDS_MAX:
        raise argparse.ArgumentTypeError(f"must be seconds, 0 to {SECONDS_MAX:.0f}")
    return seconds
