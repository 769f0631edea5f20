"""Callers that ask at a steady pace until they are told to stop, in a thread of their own; nothing is forgiven."""

import asyncio
import itertools
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.e2e.callers import Caller, Place

STOP_TIMEOUT_S = 20.0
FAILURES_SHOWN_MAX = 20


@dataclass(frozen=True)
class Ask:
    """One kind of request: what `expected` status it must get."""

    target: str
    headers: tuple[str, ...] = ()
    expected: int = 200


@dataclass
class Load:
    """`with Load(front, asks, per_second=...) as load`: afterwards `load.failures` must be empty."""

    place: Place
    asks: Sequence[Ask]
    per_second: int
    connections: int = 16
    answered: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __enter__(self) -> Self:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(STOP_TIMEOUT_S)

    @property
    def pace(self) -> float:
        """Answered requests per second so far, or in all."""
        return self.answered / max(self.seconds, 0.001)

    async def _run(self) -> None:
        began = time.monotonic()
        await asyncio.gather(*(self._ask(began, number) for number in range(self.connections)))
        self.seconds = time.monotonic() - began

    async def _ask(self, began: float, number: int) -> None:
        caller = Caller(self.place)
        step = self.connections / self.per_second
        due = began + number / self.per_second
        for ask in itertools.islice(itertools.cycle(self.asks), number, None):
            # Behind its pace after a slow answer, a connection catches up.
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if self._stopping.is_set():
                break
            due += step
            try:
                status = await caller.ask(ask.target, *ask.headers)
            except (OSError, EOFError, TimeoutError) as error:
                self._note(f"{ask.target}: {type(error).__name__} {error}", began)
                caller.close()
                continue
            self.answered += 1
            self.statuses[status] += 1
            if status != ask.expected:
                self._note(f"{ask.target}: {status} {caller.body[:200]!r}", began)
        caller.close()

    def _note(self, what: str, began: float) -> None:
        if len(self.failures) < FAILURES_SHOWN_MAX:
            self.failures.append(f"{time.monotonic() - began:.1f} s: {what}")
