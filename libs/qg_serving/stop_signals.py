"""SIGTERM and SIGINT as something to wait for."""

import asyncio
import signal
from types import TracebackType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """While open, the first signal sets `asked`, a second one `urged` (stop without waiting)."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.urged = asyncio.Event()
        self.name = ""

    def __enter__(self) -> "StopSignals":
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._take, number.name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.remove_signal_handler(number)

    def _take(self, name: str) -> None:
        if self.asked.is_set():
            self.urged.set()
        else:
            self.name = name
            self.asked.set()
