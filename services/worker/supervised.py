"""A loop that goes on whatever happens: it reports what failed, waits longer each time, and never ends the process."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from qg_bundle.link import LINK_ERRORS, end_tasks
from qg_store.availability import is_unavailable
from qg_telemetry.events import LoopFailed, LoopRecovered, Observe, UnforeseenError

RETRY_MIN_S = 0.2
RETRY_MAX_S = 3.0
"""Short enough that the loops behind "repaired within 15 s" find Postgres or Redis soon after they are back."""

DETAIL_LENGTH_MAX = 300

Step = Callable[[], Awaitable[object]]


class StepFailed(Exception):
    """A step can't do its work now, and its message says why: nothing unforeseen."""


class Supervised:
    """Calls `step` every `every_s` seconds, and as soon as `wake()` was called. `start()` begins, `close()` ends it.

    So does whoever cancels its task: a process that ends.

    A step that takes longer than `timeout_s` counts as failed. What is expected to fail (Postgres or Redis is away,
    `StepFailed`) is one `LoopFailed` per attempt, anything else an `UnforeseenError` with its traceback.
    """

    def __init__(self, name: str, step: Step, *, every_s: float, timeout_s: float | None, observe: Observe) -> None:
        self._name = name
        self._step = step
        self._every_s = every_s
        self._timeout_s = timeout_s
        self._observe = observe
        self._awake = asyncio.Event()
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, with a first step at once."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"loop:{self._name}")

    def works(self) -> None:
        """For steps that go on for long: it is at work now, whatever failed before."""
        if self._failures:
            self._observe(LoopRecovered(loop=self._name, failures=self._failures))
        self._failures = 0

    def wake(self) -> None:
        """Let the next step come at once; a step that runs now is followed by another."""
        self._awake.set()

    async def close(self) -> None:
        """End, in the middle of a step if need be."""
        await end_tasks(self._task)

    async def _run(self) -> None:
        # Asked for, too: a cancellation that a step has swallowed must end the loop all the same.
        while not _is_cancelled():
            self._awake.clear()
            succeeded = await self._attempt()
            if succeeded:
                await self._pause(self._every_s)
            else:
                # Not shortened by a wake-up: whatever is away needs its time.
                await asyncio.sleep(self._retry_s() * random.uniform(0.7, 1.3))  # noqa: S311 - no secret

    async def _pause(self, pause_s: float) -> None:
        # Spread: several workers should not look at the same moment.
        try:
            async with asyncio.timeout(pause_s * random.uniform(0.9, 1.1)):  # noqa: S311 - no secret
                await self._awake.wait()
        except TimeoutError:
            pass

    async def _attempt(self) -> bool:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._step()
        except asyncio.CancelledError:
            # Libraries let the cancellations of their own tasks through; only one of this task may end this loop.
            if _is_cancelled():
                raise
            self._failed(RuntimeError("a task of the step was cancelled"))
        except Exception as error:  # noqa: BLE001 - a loop that ends would end a part of the worker for good
            self._failed(error)
        else:
            self.works()
            return True
        return False

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        kind = type(error).__name__
        if isinstance(error, (StepFailed, *LINK_ERRORS)) or is_unavailable(error):
            detail = first_line(error)
            self._observe(LoopFailed(loop=self._name, error=kind, detail=detail, retry_s=self._retry_s()))
            return
        self._observe(UnforeseenError.of(f"worker.{self._name}", error))

    def _retry_s(self) -> float:
        return float(min(RETRY_MAX_S, RETRY_MIN_S * 2 ** min(self._failures - 1, 10)))


def _is_cancelled() -> bool:
    """Whether somebody asked the current task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def first_line(error: BaseException) -> str:
    """The first line of an error's message, for an event."""
    return (str(error).splitlines() or [""])[0][:DETAIL_LENGTH_MAX]
