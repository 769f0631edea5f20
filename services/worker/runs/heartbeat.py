"""The heartbeat: extends the leases of this worker's runs, from a thread of its own.

The event loop may be busy for seconds (rows being encoded, a large catalog of anything); leases must not run out for
that. So the thread has its own event loop and its own connection to Postgres, and tells the main loop what it learned.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Collection

from sqlalchemy.ext.asyncio import AsyncEngine

from qg_core.job_runs import HEARTBEAT_S, LEASE_S
from qg_store.engine import make_engine
from qg_store.repositories import job_runs
from qg_store.repositories.job_runs import Held
from qg_telemetry.events import HeartbeatLate, Observe
from worker.runs.live import LiveRun, LiveRuns, Moment
from worker.supervised import first_line

BEAT_TIMEOUT_S = 3.0
"""A beat that takes longer is given up, so that two more fit into the lease."""

LATE_S = 2 * HEARTBEAT_S
RETRY_S = 0.5
DISPOSE_TIMEOUT_S = 1.0
CLOSE_WAIT_S = BEAT_TIMEOUT_S + 2.0

OnBeat = Callable[[Collection[LiveRun], Collection[Held]], None]
"""Called in the main loop after each beat that Postgres answered: the runs that were live when it was begun, and those
claims of them that still stand."""

OnSilence = Callable[[], None]
"""Called in the main loop after each beat that Postgres did not answer."""


class Heartbeat:
    """Beats every `HEARTBEAT_S` from `start()` to `close()`."""

    def __init__(
        self,
        *,
        database_url: str,
        live: LiveRuns,
        on_beat: OnBeat,
        on_silence: OnSilence,
        observe: Observe,
    ) -> None:
        self._database_url = database_url
        self._live = live
        self._on_beat = on_beat
        self._on_silence = on_silence
        self._observe = observe
        self._main_loop = asyncio.get_running_loop()
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._stopping = threading.Event()
        self._confirmed = Moment.now()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    @property
    def age_s(self) -> float:
        """Seconds since leases were last confirmed. From any thread."""
        return self._confirmed.age_s()

    def start(self) -> None:
        self._confirmed = Moment.now()
        self._thread.start()

    async def close(self) -> None:
        """Stop beating. Without effect before `start()`."""
        self._stopping.set()
        own_loop, stop = self._own_loop, self._stop
        if own_loop is not None and stop is not None and not own_loop.is_closed():
            own_loop.call_soon_threadsafe(stop.set)
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, CLOSE_WAIT_S)

    def _run(self) -> None:
        asyncio.run(self._beat_on())

    async def _beat_on(self) -> None:
        self._stop = asyncio.Event()
        self._own_loop = asyncio.get_running_loop()
        engine = self._engine()
        while not self._stopping.is_set():
            known, asked_at = self._live.all(), Moment.now()
            try:
                async with asyncio.timeout(BEAT_TIMEOUT_S):
                    held = await _extend(engine, [run.key for run in known])
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - without it every run would be lost
                self._missed(error)
                # Whatever state the connection is in: the next beat begins with a new one.
                await _dispose(engine)
                engine = self._engine()
                await self._wait(RETRY_S)
                continue
            self._beaten(known, set(held), asked_at)
            await self._wait(HEARTBEAT_S)
        await _dispose(engine)

    def _engine(self) -> AsyncEngine:
        return make_engine(self._database_url, pool_max=1, application="querygateway-heartbeat")

    async def _wait(self, pause_s: float) -> None:
        assert self._stop is not None  # noqa: S101 - made before the first wait
        try:
            async with asyncio.timeout(pause_s):
                await self._stop.wait()
        except TimeoutError:
            pass

    def _beaten(self, known: list[LiveRun], held: set[Held], asked_at: Moment) -> None:
        late_s = self._confirmed.age_s()
        self._confirmed = asked_at
        for run in known:
            if run.key in held:
                run.confirm(asked_at)
        if late_s > LATE_S:
            self._observe(HeartbeatLate(late_s=round(late_s, 1), error="", detail=""))
        self._tell(lambda: self._on_beat(known, held))

    def _missed(self, error: BaseException) -> None:
        late_s = self._confirmed.age_s()
        if late_s > LATE_S:
            self._observe(HeartbeatLate(late_s=round(late_s, 1), error=type(error).__name__, detail=first_line(error)))
        self._tell(self._on_silence)

    def _tell(self, call: Callable[[], None]) -> None:
        try:
            self._main_loop.call_soon_threadsafe(call)
        except RuntimeError:  # the main loop has ended already
            self._stopping.set()


async def _extend(engine: AsyncEngine, keys: list[Held]) -> list[Held]:
    """On the driver's own connection, and without a transaction: one round trip, whatever there is to extend."""
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        return await job_runs.extend(raw.driver_connection, keys, LEASE_S)


async def _dispose(engine: AsyncEngine) -> None:
    with contextlib.suppress(Exception, asyncio.CancelledError):
        async with asyncio.timeout(DISPOSE_TIMEOUT_S):
            await engine.dispose()
