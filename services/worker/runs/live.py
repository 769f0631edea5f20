"""The runs that this worker is at work on, and how long it may believe that they are its own.

A lease is Postgres' business; here is what the worker can know without asking: the moment at which the newest
successful claim or heartbeat was *begun*. The lease lasts at least `LEASE_S` from there. Both clocks count: the
monotonic one goes on while the process is stopped, the wall clock while the machine sleeps.
"""

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import msgspec

from qg_core.job_runs import LEASE_S
from qg_oracle.cancelling import CancelSignal
from qg_store.repositories.job_runs import ClaimedRun, Held

ResultT = TypeVar("ResultT")

STOPPING = "stopping"
"""Why a run is interrupted that this worker will hand back."""

LOST = "taken_over"
UNCONFIRMED = "lease_not_confirmed"


class Moment(msgspec.Struct, frozen=True):
    """One moment on the monotonic and the wall clock, in seconds."""

    monotonic: float
    wall: float

    @classmethod
    def now(cls) -> "Moment":
        return cls(time.monotonic(), time.time())

    def age_s(self) -> float:
        """Seconds since then, by whichever clock counted more."""
        return max(time.monotonic() - self.monotonic, time.time() - self.wall)


class Interrupted(Exception):
    """The run must not go on here; `reason` is one of this module's."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class LiveRun:
    """One claimed run. All but `confirm` and `held` belong to the event loop."""

    def __init__(self, claimed: ClaimedRun, asked_at: Moment) -> None:
        """`asked_at`: when the claim was begun."""
        self.key = Held(claimed.run_id, claimed.token)
        self.job_id = claimed.schedule_id
        self.endpoint_id = claimed.endpoint_id
        self.attempt = claimed.attempt
        self.cancel = CancelSignal()
        self.started = time.monotonic()
        self._confirmed = asked_at
        self._interrupted = asyncio.Event()
        self._reason = ""

    @property
    def run_id(self) -> str:
        return self.key.run_id

    @property
    def token(self) -> int:
        return self.key.token

    @property
    def duration_ms(self) -> float:
        return round((time.monotonic() - self.started) * 1_000, 1)

    def confirm(self, asked_at: Moment) -> None:
        """Postgres has extended the lease, in a statement that was begun at `asked_at`. From any thread."""
        self._confirmed = asked_at

    @property
    def held(self) -> bool:
        """Whether the lease can't have run out yet, as far as this process can know. From any thread."""
        return self._confirmed.age_s() < LEASE_S

    def interrupt(self, reason: str) -> None:
        """Stop whatever is under way for this run."""
        if not self._interrupted.is_set():
            self._reason = reason
            self._interrupted.set()
            self.cancel.fire(reason)

    def interrupt_unless_held(self) -> None:
        """Stop it if its lease may have run out."""
        if not self.held:
            self.interrupt(UNCONFIRMED)

    def check(self) -> None:
        """Before anything that is written or asked for this run. Raises `Interrupted`."""
        self.check_lease()
        if self._interrupted.is_set():
            raise Interrupted(self._reason)

    def check_lease(self) -> None:
        """The same for the run's own end, which is written also while the process is being stopped."""
        self.interrupt_unless_held()
        if self._interrupted.is_set() and self._reason != STOPPING:
            raise Interrupted(self._reason)

    async def unless_interrupted(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """The outcome of `work`, which is cancelled when the run is interrupted. Raises `Interrupted`."""
        loop = asyncio.get_running_loop()
        working = loop.create_task(work)
        interrupted = loop.create_task(self._interrupted.wait())
        try:
            await asyncio.wait([working, interrupted], return_when=asyncio.FIRST_COMPLETED)
        finally:
            interrupted.cancel()
            if not working.done():
                working.cancel()
                await asyncio.wait([working])
        if working.cancelled():
            raise Interrupted(self._reason)
        return working.result()


class LiveRuns:
    """All of them; the heartbeat's thread reads beside the event loop."""

    def __init__(self) -> None:
        self._runs: dict[Held, LiveRun] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, run: LiveRun) -> None:
        with self._lock:
            self._runs[run.key] = run

    def remove(self, run: LiveRun) -> None:
        with self._lock:
            self._runs.pop(run.key, None)

    def __contains__(self, key: Held) -> bool:
        with self._lock:
            return key in self._runs

    def all(self) -> list[LiveRun]:
        """Those at this moment."""
        with self._lock:
            return list(self._runs.values())
