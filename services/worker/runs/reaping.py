"""Reaping: leases that ran out are ended, whoever held them, so that somebody else can claim the run."""

from collections.abc import Callable

from qg_core.job_runs import ATTEMPTS_MAX, REAP_EVERY_S
from qg_store.engine import SessionFactory
from qg_store.repositories import job_runs
from qg_telemetry.events import JobRunTakenOver, Observe
from worker.supervised import Supervised

REAP_TIMEOUT_S = 10.0
AVAILABLE_IN_S = 0.0
"""The lease was wait enough."""


class Reaping:
    """Every worker reaps; `on_reaped` is called when there is something to claim again."""

    def __init__(self, sessions: SessionFactory, on_reaped: Callable[[], None], observe: Observe) -> None:
        self._sessions = sessions
        self._on_reaped = on_reaped
        self._observe = observe
        self._loop = Supervised("reap", self._reap, every_s=REAP_EVERY_S, timeout_s=REAP_TIMEOUT_S, observe=observe)

    def start(self) -> None:
        self._loop.start()

    async def close(self) -> None:
        await self._loop.close()

    async def _reap(self) -> None:
        async with self._sessions.begin() as session:
            reaped = await job_runs.reap(session, ATTEMPTS_MAX, AVAILABLE_IN_S)
        for run in reaped:
            self._observe(
                JobRunTakenOver(
                    job_id=run.schedule_id,
                    run_id=run.run_id,
                    endpoint_id=run.endpoint_id,
                    attempt=run.attempt,
                    worker=run.worker,
                    status=run.status,
                )
            )
        if reaped:
            self._on_reaped()
