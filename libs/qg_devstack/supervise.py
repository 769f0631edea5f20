"""Watch the parts of a running stack: one that ends is reported, the others go on, until somebody asks to stop."""

import os
import select
import signal
from types import FrameType

from qg_devstack.parts import Part, Parts
from qg_devstack.progress import Progress

# A child's end wakes us at once; this is for ends that no signal tells.
_TICK_S = 1.0
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopAsked(BaseException):
    """Somebody pressed Ctrl-C or sent SIGTERM. Not an Exception: nothing on the way may take it for a failure."""


def listen_for_stop() -> None:
    """From now on the first stop signal raises StopAsked in the main thread; later ones are ignored."""

    def asked(number: int, _frame: FrameType | None) -> None:
        ignore_stop()
        raise StopAsked(signal.Signals(number).name)

    for each in _STOPPING:
        signal.signal(each, asked)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)


def ignore_stop() -> None:
    """From now on stop signals do nothing: we are stopping, in order and within bounds."""
    for each in _STOPPING:
        signal.signal(each, signal.SIG_IGN)


def watch(parts: Parts, progress: Progress) -> None:
    """Report ends until all parts have ended or StopAsked comes."""
    reader, writer = os.pipe()  # closed in children, as every descriptor Python makes
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    previous = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    reported: set[int] = set()
    try:
        while parts.running():
            select.select([reader], [], [], _TICK_S)
            _drain(reader)
            for part, status in parts.ended():
                if part.pid not in reported:
                    reported.add(part.pid)
                    progress.say(_report(part, status, parts.running()))
    finally:
        signal.set_wakeup_fd(previous)
        os.close(reader)
        os.close(writer)


def _drain(reader: int) -> None:
    try:
        while os.read(reader, 512):
            continue
    except BlockingIOError:
        return


def _report(part: Part, status: int, running: list[Part]) -> str:
    how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    others = ", ".join(other.name for other in running)
    return (
        f"{part.name} (pid {part.pid}) {how}; its log: {part.log_path}\n          still running: {others or 'nothing'}"
    )
