"""Those who wait for a session of one pool, in the order of asking."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from qg_core.errors import DatabaseBusy
from qg_oracle.sessions import Session

WAITERS_MAX = 1_000
"""Calls that wait for a session of one pool."""

Waiter = asyncio.Future[Session]


class Waiters:
    """A bounded queue of futures. Whoever stops waiting is taken out at once, so its length is what it says."""

    def __init__(self) -> None:
        self._queue: deque[Waiter] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    def add(self) -> Waiter:
        """One more. Raises `DatabaseBusy` at `WAITERS_MAX`."""
        if len(self._queue) >= WAITERS_MAX:
            raise DatabaseBusy(retry_after_s=1)
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._queue.append(waiter)
        return waiter

    def hand(self, session: Session) -> bool:
        """Give the session to who has waited longest; False when nobody waits."""
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.done():
                waiter.set_result(session)
                return True
        return False

    def give_up(self, waiter: Waiter, error: Exception) -> bool:
        """End one wait with `error`; False when it had its session already."""
        if waiter.done():
            return False
        waiter.set_exception(error)
        with contextlib.suppress(ValueError):
            self._queue.remove(waiter)
        return True

    def fail(self, make_error: Callable[[], Exception]) -> None:
        """End every wait, each with an error of its own."""
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.done():
                waiter.set_exception(make_error())
