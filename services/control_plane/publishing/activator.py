"""The control plane's background loops: activate after commit, beat, look after Redis, remove garbage.

One activation at a time; all writes that arrive meanwhile share the next one. Every failure is retried with backoff:
a commit is never undone because Redis is away.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from control_plane.publishing.beacons import Beacons
from control_plane.publishing.upkeep import Upkeep
from qg_activation.activation import Activation
from qg_bundle.link import LINK_ERRORS, end_tasks
from qg_telemetry.events import ActivationFailed, Observe, UnforeseenError

RETRY_MIN_S = 0.1
RETRY_MAX_S = 5.0
PASS_TIMEOUT_S = 55.0
"""A little less than Postgres allows a transaction to idle."""

CLOSE_WAIT_S = 2.0

EXPECTED_ERRORS = (*LINK_ERRORS, SQLAlchemyError, TimeoutError)


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often the loops run, in seconds."""

    beacon_every_s: float = 5.0
    look_every_s: float = 1.0
    sweep_every_s: float = 600.0
    """Between passes that compare all published specs with Redis and remove garbage."""


class Activator:
    """Start with `start()`, end with `close()`."""

    def __init__(
        self,
        activation: Activation,
        beacons: Beacons,
        upkeep: Upkeep,
        observe: Observe,
        pace: Pace | None = None,
    ) -> None:
        self._activation = activation
        self._beacons = beacons
        self._upkeep = upkeep
        self._observe = observe
        self._pace = pace or Pace()
        self._asked = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._errors: dict[str, str] = {}

    @property
    def last_errors(self) -> dict[str, str]:
        """Loop -> why its newest attempt failed; empty when all is well. For health and dashboards."""
        return dict(self._errors)

    def ask(self, revision: int) -> None:  # noqa: ARG002 - whoever asks, the pass takes everything up to the head
        """There is a new revision: activate it soon. Returns at once."""
        self._idle.clear()
        self._asked.set()

    def start(self) -> None:
        """Begin; the first pass brings Redis up to Postgres."""
        self.ask(0)
        pace = self._pace
        self._tasks = [
            asyncio.create_task(self._activate_when_asked()),
            asyncio.create_task(self._repeat("beacon", self._beacons.beat, pace.beacon_every_s)),
            asyncio.create_task(self._repeat("look", self._look, pace.look_every_s)),
            asyncio.create_task(self._repeat("sweep", self._upkeep.sweep, pace.sweep_every_s)),
        ]

    async def close(self) -> None:
        """Stop, but first activate what was committed, if that takes no longer than `CLOSE_WAIT_S`.

        What is not activated then will be by whoever comes next.
        """
        if self._tasks:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_WAIT_S):
                    await self._idle.wait()
        await end_tasks(*self._tasks)

    async def _activate_when_asked(self) -> None:
        failures = 0
        while True:
            await self._asked.wait()
            # Cleared before the pass: what is asked for during it starts another one.
            self._asked.clear()
            failures = 0 if await self._attempt("activate", self._activation.activate, failures) else failures + 1
            if failures:
                await asyncio.sleep(_retry_s(failures))
                self._asked.set()
            elif not self._asked.is_set():
                self._idle.set()

    async def _repeat(self, name: str, step: Callable[[], Awaitable[object]], every_s: float) -> None:
        failures = 0
        while True:
            failures = 0 if await self._attempt(name, step, failures) else failures + 1
            pause_s = min(every_s, _retry_s(failures)) if failures else every_s
            # Spread: several control planes should not look at the same moment.
            await asyncio.sleep(pause_s * random.uniform(0.9, 1.1))  # noqa: S311 - no secret

    async def _look(self) -> None:
        if await self._upkeep.look():
            self.ask(0)

    async def _attempt(self, name: str, step: Callable[[], Awaitable[object]], failures: int) -> bool:
        """Run `step`, at most `PASS_TIMEOUT_S`; whether it succeeded."""
        try:
            async with asyncio.timeout(PASS_TIMEOUT_S):
                await step()
        except EXPECTED_ERRORS as error:
            kind, detail = type(error).__name__, (str(error).splitlines() or [""])[0][:300]
            self._errors[name] = f"{kind}: {detail}"
            self._observe(ActivationFailed(error=kind, detail=f"{name}: {detail}", retry_s=_retry_s(failures + 1)))
            return False
        except Exception as error:  # noqa: BLE001 - a loop that ends would end publishing for good
            self._errors[name] = type(error).__name__
            self._observe(UnforeseenError.of(f"publishing.{name}", error))
            return False
        self._errors.pop(name, None)
        return True


def _retry_s(failures: int) -> float:
    """Exponential, from `RETRY_MIN_S` to `RETRY_MAX_S`."""
    return float(min(RETRY_MAX_S, RETRY_MIN_S * 2 ** min(failures - 1, 10)))
