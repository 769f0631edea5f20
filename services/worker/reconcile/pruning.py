"""Clearing away what nobody needs any more: old job runs, and snapshots whose endpoint is gone."""

import time

from qg_core.specs import SpecKind
from qg_store.engine import SessionFactory
from qg_store.repositories import job_runs, snapshots
from qg_store.repositories import publishing as ledger
from qg_telemetry.events import Observe, OldRowsPruned

JOB_RUNS_KEPT_DAYS = 30
PRUNE_EVERY_S = 600.0
ENDPOINTS_PER_PASS_MAX = 100


class Pruning:
    """Raises what SQLAlchemy raises."""

    def __init__(self, sessions: SessionFactory, observe: Observe) -> None:
        self._sessions = sessions
        self._observe = observe
        self._due_at = 0.0

    async def run_when_due(self) -> None:
        """`run`, if the last time was `PRUNE_EVERY_S` ago or never."""
        if time.monotonic() >= self._due_at:
            await self.run()
            self._due_at = time.monotonic() + PRUNE_EVERY_S

    async def run(self) -> None:
        """One bounded batch of each; the rest goes the next time."""
        async with self._sessions() as session:
            runs = await job_runs.prune(session, JOB_RUNS_KEPT_DAYS)
            await session.commit()
        async with self._sessions() as session:
            # Snapshots first: an endpoint's own are written after it was published.
            kept = {mark.endpoint_id for mark in await snapshots.newest_of_all(session)}
            published = {key.id for key in await ledger.manifest(session) if key.kind == SpecKind.ENDPOINT}
            orphans = 0
            for endpoint_id in sorted(kept - published)[:ENDPOINTS_PER_PASS_MAX]:
                orphans += len(await snapshots.delete_of(session, endpoint_id))
            await session.commit()
        if runs or orphans:
            self._observe(OldRowsPruned(job_runs=runs, snapshots=orphans))
