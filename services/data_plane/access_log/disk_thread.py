"""One thread for everything that waits for a disk, so that the event loop never does."""

import asyncio
import concurrent.futures
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

ResultT = TypeVar("ResultT")


class DiskThread:
    """Runs what it is given, one after another. A disk that hangs holds up this thread and not the end of the process.

    (A `ThreadPoolExecutor` is joined when Python ends; this one is not.)
    """

    def __init__(self, name: str, unforeseen: Callable[[Exception], None]) -> None:
        """`unforeseen` is told, in the thread, what a posted call raised."""
        self._unforeseen = unforeseen
        self._calls: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def post(self, call: Callable[[], object]) -> None:
        """Run `call` soon; nobody waits for it."""
        self._calls.put(call)

    async def run(self, call: Callable[[], ResultT]) -> ResultT:
        """The result of `call`, or what it raised. Cancelled, `call` still runs."""
        future: concurrent.futures.Future[ResultT] = concurrent.futures.Future()

        def deliver() -> None:
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001  # handed on to who waits for it
                future.set_exception(error)
            else:
                future.set_result(result)

        # Never cancelled through the wrapper: setting a result on a cancelled future would raise in the thread.
        future.set_running_or_notify_cancel()
        self._calls.put(deliver)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """End the thread after what it was given so far; does not wait."""
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except Exception as error:  # noqa: BLE001  # whatever it was: without this thread nothing is written again
                self._unforeseen(error)
