"""SIGTERM and SIGINT (stop), SIGUSR1 (drain) as something to wait for."""

import asyncio
import signal
from types import TracebackType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
DRAIN_SIGNAL = signal.SIGUSR1


class StopSignals:
    """While open, the first one to stop sets `asked`, a second one `urged` (stop without waiting).

    One to drain sets `drained`: what is served goes on, until the service is asked to stop.
    """

    def __init__(self) -> None:
        self.drained = asyncio.Event()
        self.asked = asyncio.Event()
        self.urged = asyncio.Event()
        self.name = ""

    def __enter__(self) -> "StopSignals":
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(DRAIN_SIGNAL, self.drained.set)
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._take, number.name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        loop = asyncio.get_running_loop()
        for number in (DRAIN_SIGNAL, *STOP_SIGNALS):
            loop.remove_signal_handler(number)

    def _take(self, name: str) -> None:
        if self.asked.is_set():
            self.urged.set()
        else:
            self.name = name
            self.asked.set()
