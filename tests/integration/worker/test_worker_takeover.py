"""Workers that are killed, stopped, continued or asked to end in the middle of a run."""

import signal
import time
from typing import Any

import pytest
from redis import Redis

from qg_bundle import keys
from tests.integration.worker.rig import WorkerRig
from tests.integration.worker.worker_process import WorkerProcess
from tests.support.waiting import until, wait_until

pytestmark = pytest.mark.fault

SLOW = "select qg_sleep(4) as s from dual"
TAKEN_OVER_WITHIN_S = 15.0


async def running(gate: WorkerRig, run_id: str, *workers: WorkerProcess) -> WorkerProcess:
    """The worker that runs it."""
    run = await gate.until_status(run_id, "running")
    return next(worker for worker in workers if worker.name == run.worker)


async def until_taken_over(gate: WorkerRig, run_id: str, token: int) -> tuple[float, Any]:
    """Seconds until somebody has claimed it again, and the row."""
    started = time.monotonic()

    async def again() -> bool:
        run = await gate.run(run_id)
        return run.token >= token + 2 and run.status in {"running", "success"}

    await until(again, TAKEN_OVER_WITHIN_S)
    return time.monotonic() - started, await gate.run(run_id)


async def test_the_run_of_a_killed_worker_is_taken_over(gate: WorkerRig) -> None:
    one, other = gate.worker("one"), gate.worker("other")
    run_id = await gate.run_of(SLOW)
    runner = await running(gate, run_id, one, other)
    token = (await gate.run(run_id)).token
    runner.signal(signal.SIGKILL)
    taken_s, _ = await until_taken_over(gate, run_id, token)
    assert taken_s < TAKEN_OVER_WITHIN_S
    run = await gate.until_status(run_id, "success")
    assert (run.attempt, run.worker) == (2, "other" if runner is one else "one")
    assert len(await gate.snapshots()) == 1


async def test_a_worker_that_was_stopped_and_continued_writes_nothing(gate: WorkerRig) -> None:
    one, other = gate.worker("one"), gate.worker("other")
    run_id = await gate.run_of(SLOW)
    runner = await running(gate, run_id, one, other)
    runner.signal(signal.SIGSTOP)
    run = await gate.until_status(run_id, "success", timeout_s=30)
    assert run.worker != runner.name
    with Redis.from_url(gate.redis_url) as redis:
        wait_until(lambda: redis.zcard(keys.SNAPSHOT_NUMBERS) == 1, "the copy is there")
        before = redis.get(keys.SNAPSHOTS_VERSION), redis.zrange(keys.SNAPSHOT_NUMBERS, 0, -1, withscores=True)
        [snapshot] = await gate.snapshots()
        runner.signal(signal.SIGCONT)
        lost = runner.wait_for_line(event="lease_lost", run_id=run_id)
        assert lost["success"] is False
        assert runner.wait_for_line(event="heartbeat_late")
        # It goes on with others.
        again = await gate.run_of("select 1 as one from dual")
        await gate.until_status(again, "success")
        assert await gate.run(run_id) == run
        assert [row for row in await gate.snapshots() if row.endpoint_id == run.endpoint_id] == [snapshot]
        own = [item for item in redis.zrange(keys.SNAPSHOT_NUMBERS, 0, -1, withscores=True) if item in before[1]]
        assert own == before[1]
    assert not runner.lines(event="job_run_finished", run_id=run_id)
    assert not runner.lines(event="unforeseen_error")


async def test_asked_to_end_it_finishes_within_its_grace(gate: WorkerRig) -> None:
    worker = gate.worker(SHUTDOWN_GRACE_SECONDS="15")
    run_id = await gate.run_of("select qg_sleep(2) as s from dual")
    await gate.until_status(run_id, "running")
    waiting = await gate.run_of("select 1 as one from dual")
    await gate.execute(
        "UPDATE job_runs SET available_at = now() + interval '1 hour' WHERE id = cast(:id AS uuid)", id=waiting
    )
    worker.signal(signal.SIGTERM)
    wait_until(lambda: worker.ready_status() in {503, None}, "it is not ready any more")
    await gate.execute(f"UPDATE job_runs SET available_at = now() WHERE id = '{waiting}'")
    assert worker.process.wait(20) == 0
    assert (await gate.run(run_id)).status == "success"
    assert (await gate.run(waiting)).status == "queued"
    assert not worker.lines(event="unforeseen_error")


async def test_what_can_not_be_finished_is_handed_back_at_once(gate: WorkerRig) -> None:
    worker = gate.worker(SHUTDOWN_GRACE_SECONDS="1")
    run_id = await gate.run_of("select qg_sleep(25) as s from dual")
    await gate.until_status(run_id, "running")
    started = time.monotonic()
    assert worker.terminate() == 0
    assert time.monotonic() - started < 8
    run = await gate.run(run_id)
    assert (run.status, run.attempt, run.slot, run.lease_until) == ("queued", 0, None, None)
    assert run.available_at <= await gate.now()
    assert worker.lines(event="job_run_handed_back", run_id=run_id)
    assert not worker.lines(event="unforeseen_error")
    assert await gate.snapshots() == []
