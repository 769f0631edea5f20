"""One piece of slow work per key at a time: who asks for what is already being done waits for that outcome.

Without this, a consumer that opens a hundred connections after a restart would fill the queue of password checks with
a hundred times the same question.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

OutcomeT = TypeVar("OutcomeT")


class _Flight(Generic[OutcomeT]):
    __slots__ = ("task", "waiters")

    def __init__(self, task: "asyncio.Task[OutcomeT]") -> None:
        self.task = task
        self.waiters = 0


class Flights(Generic[OutcomeT]):
    """Work by key. Work nobody waits for any more is cancelled."""

    def __init__(self) -> None:
        self._flights: dict[bytes, _Flight[OutcomeT]] = {}

    async def join(self, key: bytes, start: Callable[[], Coroutine[Any, Any, OutcomeT]]) -> OutcomeT:
        """The outcome of `start()` for `key`, started unless it is under way; raises what that raises."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.get_running_loop().create_task(start()))
        flight.waiters += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiters -= 1
            if flight.waiters == 0:
                flight.task.cancel()
            if (flight.waiters == 0 or flight.task.done()) and self._flights.get(key) is flight:
                del self._flights[key]
