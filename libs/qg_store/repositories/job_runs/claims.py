"""Claiming a run, keeping the claim, ending it; and taking it from a worker that is gone.

A claim is a row of `job_runs` in `running` and a row of `job_slots` that names it; every statement here changes both
or neither. Whoever claims or takes away raises `token`: a worker that was stopped and continued finds that its token
is old, and writes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from qg_core.job_runs import FINAL, RunStatus, check_transition
from qg_store.models.job_runs import ERROR_DETAIL_CHARS_MAX
from qg_store.repositories.statements import BIGINT, ROW_ID, SECONDS, bound_idle, statement
from qg_store.repositories.unique import violated_constraint

CLAIM_IDLE_MAX_S = 5.0
"""How long a transaction that has locked runs may say nothing: a stopped worker must not keep them from the reaper."""

_CLAIM_ATTEMPTS_MAX = 3


class ClaimedRun(msgspec.Struct, frozen=True):
    """A run that is the claiming worker's until `lease_until`; `attempt` counts from 1."""

    run_id: str
    schedule_id: str | None
    endpoint_id: str
    planned_at: datetime
    reason: str
    attempt: int
    token: int
    slot: int
    started_at: datetime
    lease_until: datetime


class Held(msgspec.Struct, frozen=True):
    """What a worker believes to hold: a run and the token of its claim."""

    run_id: str
    token: int


class Reaped(msgspec.Struct, frozen=True):
    """A run that was taken from `worker`: it is `queued` again, or `lost` after its last attempt."""

    run_id: str
    schedule_id: str | None
    endpoint_id: str
    worker: str
    attempt: int
    status: str


# SKIP LOCKED twice: claimers that come together take different slots and different runs, and none waits. Slots beyond
# `slots_max` may still be taken from before it was lowered: they count.
_CLAIM = statement(
    """
WITH free AS MATERIALIZED (
    SELECT slot FROM job_slots
    WHERE run_id IS NULL AND slot <= :slots_max
      AND (SELECT count(*) FROM job_slots WHERE run_id IS NOT NULL) < :slots_max
    ORDER BY slot LIMIT 1
    FOR UPDATE SKIP LOCKED
), due AS MATERIALIZED (
    SELECT waiting.id FROM job_runs waiting
    WHERE waiting.status = 'queued' AND waiting.available_at <= now() AND EXISTS (SELECT FROM free)
      AND NOT EXISTS (
          SELECT FROM job_runs live WHERE live.schedule_id = waiting.schedule_id AND live.status = 'running')
    ORDER BY waiting.available_at, waiting.planned_at LIMIT 1
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE job_runs SET
        status = 'running', worker = :worker, slot = (SELECT slot FROM free),
        attempt = attempt + 1, token = token + 1, error_detail = NULL,
        started_at = clock_timestamp(), lease_until = clock_timestamp() + make_interval(secs => :lease_s)
    FROM due WHERE job_runs.id = due.id
    RETURNING job_runs.*
), taken AS (
    UPDATE job_slots SET run_id = claimed.id FROM claimed WHERE job_slots.slot = claimed.slot
)
SELECT id::text AS run_id, schedule_id::text, endpoint_id::text, planned_at, reason, attempt, token, slot, started_at,
    lease_until
FROM claimed
""",
    lease_s=SECONDS,
)

_EXTEND = """
UPDATE job_runs SET lease_until = clock_timestamp() + make_interval(secs => $3)
FROM unnest($1::uuid[], $2::bigint[]) AS held (run_id, token)
WHERE job_runs.id = held.run_id AND job_runs.token = held.token AND job_runs.status = 'running'
RETURNING job_runs.id::text AS run_id, job_runs.token AS token
"""
"""`$1` run ids, `$2` their tokens, `$3` seconds; returns the runs that are still held."""

# The schedule's row first, then the run's: deleting a schedule takes them in this order too.
_LOCK_SCHEDULE = statement(
    """
SELECT FROM schedules WHERE id = (SELECT schedule_id FROM job_runs WHERE id = :run_id) FOR NO KEY UPDATE
""",
    run_id=ROW_ID,
)
_FINISH = statement(
    """
WITH done AS (
    UPDATE job_runs SET
        status = :status, finished_at = clock_timestamp(), row_count = :row_count, error_detail = :error_detail,
        lease_until = NULL, slot = NULL
    WHERE id = :run_id AND token = :token AND status = 'running'
    RETURNING id, schedule_id, finished_at
), freed AS (
    UPDATE job_slots SET run_id = NULL FROM done WHERE job_slots.run_id = done.id
), noted AS (
    UPDATE schedules SET last_run_at = done.finished_at FROM done WHERE schedules.id = done.schedule_id
)
SELECT count(*) FROM done
""",
    run_id=ROW_ID,
    token=BIGINT,
    row_count=BIGINT,
)
_HAND_BACK = statement(
    """
WITH back AS (
    UPDATE job_runs SET
        status = 'queued', token = token + 1, lease_until = NULL, slot = NULL, started_at = NULL,
        attempt = CASE WHEN :attempt_counts THEN attempt ELSE greatest(attempt - 1, 0) END,
        available_at = clock_timestamp() + make_interval(secs => :available_in_s), error_detail = :error_detail
    WHERE id = :run_id AND token = :token AND status = 'running'
    RETURNING id
), freed AS (
    UPDATE job_slots SET run_id = NULL FROM back WHERE job_slots.run_id = back.id
)
SELECT count(*) FROM back
""",
    run_id=ROW_ID,
    token=BIGINT,
    available_in_s=SECONDS,
)
_REAP = statement(
    """
WITH gone AS MATERIALIZED (
    SELECT id FROM job_runs WHERE status = 'running' AND lease_until < clock_timestamp() FOR UPDATE SKIP LOCKED
), reaped AS (
    UPDATE job_runs SET
        status = CASE WHEN attempt >= :attempts_max THEN 'lost' ELSE 'queued' END,
        finished_at = CASE WHEN attempt >= :attempts_max THEN clock_timestamp() END,
        started_at = CASE WHEN attempt >= :attempts_max THEN started_at END,
        available_at = clock_timestamp() + make_interval(secs => :retry_s),
        error_detail = 'the worker ' || worker || ' was not heard of any more',
        token = token + 1, lease_until = NULL, slot = NULL
    FROM gone WHERE job_runs.id = gone.id
    RETURNING job_runs.*
), freed AS (
    UPDATE job_slots SET run_id = NULL FROM reaped WHERE job_slots.run_id = reaped.id
)
SELECT id::text AS run_id, schedule_id::text, endpoint_id::text, worker, attempt, status FROM reaped
""",
    retry_s=SECONDS,
)


async def claim(session: AsyncSession, worker: str, slots_max: int, lease_s: float) -> ClaimedRun | None:
    """The run that waits longest and may run now, if a slot up to `slots_max` is free. Commit at once.

    None: nothing waits, no slot is free, or other claimers were quicker. The transaction stays good in any case.
    """
    values = {"worker": worker, "slots_max": slots_max, "lease_s": lease_s}
    await bound_idle(session, CLAIM_IDLE_MAX_S)
    for _ in range(_CLAIM_ATTEMPTS_MAX):
        try:
            async with session.begin_nested():
                row = (await session.execute(_CLAIM, values)).one_or_none()
        except IntegrityError as error:
            # Two runs of one schedule were claimed together, and the other one was committed first.
            if violated_constraint(error) != "uq_job_runs_running":
                raise
        else:
            return ClaimedRun(**row._mapping) if row is not None else None
    return None


async def extend(connection: Any, held: Sequence[Held], lease_s: float) -> list[Held]:
    """Extend leases on a plain asyncpg connection; those that are still held.

    What is missing in the answer was taken away: its worker must stop it and write nothing.
    """
    rows = await connection.fetch(_EXTEND, [one.run_id for one in held], [one.token for one in held], lease_s)
    return [Held(row["run_id"], row["token"]) for row in rows]


async def finish(
    session: AsyncSession, run_id: str, token: int, status: str, row_count: int | None, error_detail: str | None
) -> bool:
    """End a run and free its slot. False: the token is not ours any more, and nothing was written.

    Commit soon: the run's row is locked from here on, and Postgres ends a transaction that says nothing for
    `CLAIM_IDLE_MAX_S`. Raises ValueError for a status in which a run that was live can't end.
    """
    wanted = RunStatus(status)
    check_transition(RunStatus.RUNNING, wanted)
    if wanted not in FINAL:
        raise ValueError(f"a run can't end as {status!r}")
    await bound_idle(session, CLAIM_IDLE_MAX_S)
    await session.execute(_LOCK_SCHEDULE, {"run_id": run_id})
    values = {
        "run_id": run_id,
        "token": token,
        "status": wanted.value,
        "row_count": row_count,
        "error_detail": storable_detail(error_detail),
    }
    return bool(await session.scalar(_FINISH, values))


async def hand_back(
    session: AsyncSession,
    run_id: str,
    token: int,
    available_in_s: float,
    attempt_counts: bool,
    error_detail: str | None = None,
) -> bool:
    """Queue a run again and free its slot. False: the token is not ours any more, and nothing was written.

    `attempt_counts` is false where the worker, not the run, is the reason (it shuts down).
    """
    values = {
        "run_id": run_id,
        "token": token,
        "available_in_s": available_in_s,
        "attempt_counts": attempt_counts,
        "error_detail": storable_detail(error_detail),
    }
    await bound_idle(session, CLAIM_IDLE_MAX_S)
    return bool(await session.scalar(_HAND_BACK, values))


async def reap(session: AsyncSession, attempts_max: int, retry_s: float) -> list[Reaped]:
    """Take away the runs whose lease ran out: queued again in `retry_s`, or `lost` after `attempts_max`."""
    await bound_idle(session, CLAIM_IDLE_MAX_S)
    rows = await session.execute(_REAP, {"attempts_max": attempts_max, "retry_s": retry_s})
    return [Reaped(**row._mapping) for row in rows]


def storable_detail(detail: str | None) -> str | None:
    """What Postgres takes of a text of unknown origin: no NUL, at most 2,000 characters."""
    return detail.replace("\x00", "")[:ERROR_DETAIL_CHARS_MAX] if detail is not None else None
