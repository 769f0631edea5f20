"""One claimed run from its claim to its end: definition, rows, transaction, copy. Only this module knows the order."""

import asyncio
import time
from collections.abc import Callable

from qg_core.job_runs import RunStatus
from qg_store.availability import is_unavailable
from qg_store.engine import SessionFactory
from qg_store.repositories import job_runs
from qg_telemetry.events import (
    JobRunFailed,
    JobRunFinished,
    JobRunHandedBack,
    JobRunRetried,
    LeaseLost,
    Observe,
    UnforeseenError,
)
from worker.runs.definitions import Definitions
from worker.runs.live import LOST, STOPPING, Interrupted, LiveRun, LiveRuns
from worker.runs.verdicts import Verdict, is_unforeseen, verdict_of
from worker.snapshots.copying import Copying
from worker.snapshots.production import Production
from worker.snapshots.spool import Spool
from worker.snapshots.storing import Stored, Storing

RETRY_S = 0.5
CONCLUDE_S_MAX = 60.0
WRITE_TIMEOUT_S = 3.0
"""For one attempt to write a run's end: a Postgres that falls silent must hold neither the run nor the process."""

UNWRITTEN = "end_not_written"
"""Why a run is given up whose end Postgres did not take."""


class Execution:
    """Runs what was claimed. Everything it has of a run is written under the run's token, or not at all."""

    def __init__(
        self,
        *,
        sessions: SessionFactory,
        live: LiveRuns,
        definitions: Definitions,
        spool: Spool,
        production: Production,
        storing: Storing,
        copying: Copying,
        timeout_max_ms: Callable[[], int],
        observe: Observe,
    ) -> None:
        self._sessions = sessions
        self._live = live
        self._definitions = definitions
        self._spool = spool
        self._production = production
        self._storing = storing
        self._copying = copying
        self._timeout_max_ms = timeout_max_ms
        self._observe = observe

    async def run(self, run: LiveRun) -> None:
        """Bring the run to an end of some kind. Never raises but for cancellation."""
        try:
            await self._to_its_end(run)
        except Interrupted as interrupted:
            self._tell_lost(run, interrupted.reason)
        except Exception as error:  # noqa: BLE001 - the lease will run out, and somebody take the run
            if not is_unavailable(error):
                self._tell_unforeseen(error)
            self._tell_lost(run, UNWRITTEN)
        finally:
            self._live.remove(run)

    async def _to_its_end(self, run: LiveRun) -> None:
        """Raises `Interrupted` once the run is not this worker's any more."""
        try:
            await self._produce(run)
        except Interrupted as interrupted:
            if interrupted.reason != STOPPING:
                raise
            await self._hand_back(run)
        except Exception as error:  # noqa: BLE001 - whatever it is becomes the run's own end
            verdict = verdict_of(error, run.attempt)
            if is_unforeseen(error):
                self._tell_unforeseen(error)
            await self._conclude(run, verdict)

    async def _produce(self, run: LiveRun) -> None:
        definition = await run.unless_interrupted(self._definitions.of(run.endpoint_id))
        timeout_ms = min(definition.timeout_ms, self._timeout_max_ms())
        with self._spool.files(run.run_id) as files:
            result = await self._production.produce(definition, run, files, timeout_ms)
            stored = await run.unless_interrupted(self._storing.store(definition, result, run))
            # The run is over: nobody has to extend its lease any more.
            self._live.remove(run)
            self._tell_finished(run, stored)
            await self._copying.copy(stored.header, stored.sealed, files)

    async def _conclude(self, run: LiveRun, verdict: Verdict) -> None:
        """Write the verdict, again and again while Postgres is away and the lease holds.

        Raises `Interrupted`, and after `CONCLUDE_S_MAX` what keeps it from being written: the lease will run out.
        """
        deadline = time.monotonic() + CONCLUDE_S_MAX
        while True:
            run.check_lease()
            try:
                ours = await self._write(run, verdict)
                break
            except Exception as error:
                if not is_unavailable(error) or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(RETRY_S)
        if not ours:
            raise Interrupted(LOST)
        self._tell_verdict(run, verdict)

    async def _write(self, run: LiveRun, verdict: Verdict) -> bool:
        async with asyncio.timeout(WRITE_TIMEOUT_S), self._sessions.begin() as session:
            if verdict.status is RunStatus.QUEUED:
                return await job_runs.hand_back(
                    session, run.run_id, run.token, verdict.retry_in_s, verdict.attempt_counts, verdict.detail
                )
            return await job_runs.finish(session, run.run_id, run.token, verdict.status, None, verdict.detail)

    async def _hand_back(self, run: LiveRun) -> None:
        """This process is being stopped. One attempt to say so: if it fails, the lease runs out."""
        run.check_lease()
        async with asyncio.timeout(WRITE_TIMEOUT_S), self._sessions.begin() as session:
            ours = await job_runs.hand_back(session, run.run_id, run.token, 0.0, False)
        if not ours:
            raise Interrupted(LOST)
        self._observe(JobRunHandedBack(job_id=run.job_id, run_id=run.run_id, endpoint_id=run.endpoint_id))

    def _tell_finished(self, run: LiveRun, stored: Stored) -> None:
        header = stored.header
        self._observe(
            JobRunFinished(
                job_id=run.job_id,
                run_id=run.run_id,
                endpoint_id=run.endpoint_id,
                attempt=run.attempt,
                snapshot_id=header.snapshot_id,
                row_count=header.row_count,
                bytes=header.rows_bytes,
                stored_bytes=header.stored_bytes,
                truncated=header.truncated,
                duration_ms=run.duration_ms,
            )
        )

    def _tell_verdict(self, run: LiveRun, verdict: Verdict) -> None:
        if verdict.status is RunStatus.QUEUED:
            self._observe(
                JobRunRetried(
                    job_id=run.job_id,
                    run_id=run.run_id,
                    endpoint_id=run.endpoint_id,
                    attempt=run.attempt,
                    error_detail=verdict.detail,
                    retry_s=verdict.retry_in_s,
                    duration_ms=run.duration_ms,
                )
            )
            return
        self._observe(
            JobRunFailed(
                job_id=run.job_id,
                run_id=run.run_id,
                endpoint_id=run.endpoint_id,
                attempt=run.attempt,
                status=verdict.status.value,
                error_detail=verdict.detail,
                duration_ms=run.duration_ms,
            )
        )

    def _tell_lost(self, run: LiveRun, reason: str) -> None:
        self._observe(LeaseLost(job_id=run.job_id, run_id=run.run_id, endpoint_id=run.endpoint_id, reason=reason))

    def _tell_unforeseen(self, error: Exception) -> None:
        self._observe(UnforeseenError.of("worker.runs", error))
