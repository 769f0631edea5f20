"""Claiming runs while there is room for them, and letting them run; all of them, and their end at a stop."""

import asyncio
from collections.abc import Callable, Collection

from qg_core.job_runs import LEASE_S
from qg_store.engine import SessionFactory
from qg_store.repositories import job_runs
from qg_store.repositories.job_runs import Held
from qg_telemetry.events import JobRunClaimed, Observe
from worker.runs.execution import Execution
from worker.runs.live import LOST, STOPPING, LiveRun, LiveRuns, Moment
from worker.supervised import Supervised

POLL_EVERY_S = 1.0
CLAIM_TIMEOUT_S = 5.0
"""Well within the lease that a claim begins with."""

STOP_WAIT_S = 8.0
"""For calls to be cancelled and runs to be handed back, after the grace period."""


class Claiming:
    """Work that can be drained (`qg_serving.Drains`); `worker` is what its claims name."""

    def __init__(
        self,
        *,
        sessions: SessionFactory,
        worker: str,
        live: LiveRuns,
        execution: Execution,
        slots_max: Callable[[], int],
        observe: Observe,
    ) -> None:
        self._sessions = sessions
        self._worker = worker
        self._live = live
        self._execution = execution
        self._slots_max = slots_max
        self._observe = observe
        self._draining = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._loop = Supervised("claim", self._claim_all, every_s=POLL_EVERY_S, timeout_s=None, observe=observe)

    def start(self) -> None:
        self._loop.start()

    def wake(self) -> None:
        """There may be something to claim."""
        self._loop.wake()

    # -- draining ----------------------------------------------------------------------------------------------------

    @property
    def running(self) -> int:
        """Runs that are being worked on, their copies to Redis included."""
        return len(self._tasks)

    def start_draining(self) -> None:
        """Claim nothing more."""
        self._draining = True

    async def idle(self, timeout_s: float) -> bool:
        """Wait until nothing runs, at most `timeout_s`; whether that came true."""
        try:
            async with asyncio.timeout(max(0.0, timeout_s)):
                while self._tasks:
                    self._ended.clear()
                    await self._ended.wait()
        except TimeoutError:
            return not self._tasks
        return True

    async def close(self) -> None:
        """Stop claiming, interrupt what runs and hand it back."""
        self._draining = True
        await self._loop.close()
        for run in self._live.all():
            run.interrupt(STOPPING)
        await self.idle(STOP_WAIT_S)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)

    # -- what the heartbeat learned ----------------------------------------------------------------------------------

    def take_beat(self, known: Collection[LiveRun], held: Collection[Held]) -> None:
        """Stop the runs that are not ours any more."""
        for run in known:
            if run.key not in held and run.key in self._live:
                run.interrupt(LOST)

    def take_silence(self) -> None:
        """Stop the runs whose lease may have run out: somebody else may be at work on them."""
        for run in self._live.all():
            run.interrupt_unless_held()

    # -- claiming ----------------------------------------------------------------------------------------------------

    async def _claim_all(self) -> None:
        while not self._draining and len(self._live) < self._slots_max():
            run = await self._claim()
            if run is None:
                return
            self._begin(run)

    async def _claim(self) -> LiveRun | None:
        asked_at = Moment.now()
        async with asyncio.timeout(CLAIM_TIMEOUT_S), self._sessions() as session:
            claimed = await job_runs.claim(session, self._worker, self._slots_max(), LEASE_S)
            await session.commit()
        return LiveRun(claimed, asked_at) if claimed is not None else None

    def _begin(self, run: LiveRun) -> None:
        self._live.add(run)
        self._observe(
            JobRunClaimed(job_id=run.job_id, run_id=run.run_id, endpoint_id=run.endpoint_id, attempt=run.attempt)
        )
        task = asyncio.get_running_loop().create_task(self._execution.run(run), name=f"run:{run.run_id}")
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._ended.set()
        self._loop.wake()
