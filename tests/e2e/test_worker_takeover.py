"""A worker killed, or stopped and continued, in the middle of a run: one snapshot, from whoever took over."""

import os
import signal
import time

import pytest
from redis import Redis

from qg_bundle import keys
from tests.e2e import truth
from tests.e2e.fleet import Admin, Fleet, Running, get
from tests.support.waiting import wait_until

# tests/integration/worker does the same to single workers; here it is done to a whole gateway.
pytestmark = [pytest.mark.fault, pytest.mark.long]

_TAKEN_OVER_WITHIN_S = 15.0
_RUN_S = 5


class _Scheduled:
    """A slow snapshot endpoint with a schedule, its run in progress on one of two workers."""

    def __init__(self, fleet: Fleet) -> None:
        self.url = fleet.app_url
        node = fleet.data_plane(ready=False)
        control_plane = fleet.control_plane()
        self.workers = {name: fleet.worker(name, ready=False) for name in ("worker-1", "worker-2")}
        for service in (node, *self.workers.values()):
            service.service.wait_ready()
        self.node = node
        self.admin: Admin = fleet.admin(control_plane)
        endpoint = self.admin.endpoint(
            "slow",
            self.admin.connection(fleet.oracle, allowed_functions=["qg_sleep"]),
            sql_text=f"select qg_sleep({_RUN_S}) as s from dual",
            param_schema={},
            data_strategy="snapshot",
            timeout_ms=30_000,
        )
        self.endpoint_id = endpoint["id"]
        schedule = self.admin.make(
            "schedules", endpoint_id=self.endpoint_id, schedule_type="interval", interval_seconds=86_400
        )
        self.run_id = self.admin.make(f"schedules/{schedule['id']}/run")["job_run_id"]
        wait_until(lambda: self.state()[0] == "running", "a worker runs it")

    def state(self) -> tuple[str, int, str]:
        """Status, attempt and worker of the run."""
        status, attempt, worker = truth.rows(
            self.url, "SELECT status, attempt, worker FROM job_runs WHERE id = $1::text::uuid", self.run_id
        )[0]
        return status, attempt, worker

    def runner(self) -> Running:
        return self.workers[self.state()[2]]

    def taken_over_from(self, runner: Running) -> float:
        """Seconds until another worker runs it."""
        return wait_until(
            lambda: self.state()[0] in {"running", "success"} and self.workers[self.state()[2]] is not runner,
            "another worker runs it",
            _TAKEN_OVER_WITHIN_S,
        )

    def snapshots(self) -> list[dict[str, object]]:
        listed: list[dict[str, object]] = self.admin.send("GET", f"schedules/snapshots/{self.endpoint_id}").json()
        return listed


def test_a_killed_workers_run_is_taken_over(fleet: Fleet) -> None:
    scheduled = _Scheduled(fleet)
    runner = scheduled.runner()
    runner.kill()
    taken_s = scheduled.taken_over_from(runner)
    print(f"taken over after {taken_s:.1f} s")
    wait_until(lambda: scheduled.state()[0] == "success", "it succeeds", 20)
    assert scheduled.state()[1] == 2, "the second attempt"
    assert len(scheduled.snapshots()) == 1
    wait_until(lambda: get(scheduled.node, "slow").status_code == 200, "the node serves it")


def test_a_stopped_worker_that_goes_on_writes_nothing(fleet: Fleet) -> None:
    scheduled = _Scheduled(fleet)
    runner = scheduled.runner()
    os.kill(runner.service.pid, signal.SIGSTOP)
    try:
        scheduled.taken_over_from(runner)
        wait_until(lambda: scheduled.state()[0] == "success", "it succeeds", 20)
        wait_until(lambda: get(scheduled.node, "slow").status_code == 200, "the node serves it")
        before = _everything(scheduled, fleet)
    finally:
        os.kill(runner.service.pid, signal.SIGCONT)
    time.sleep(_RUN_S)  # what it would write, it would write by now
    assert runner.service.poll() is None, "it goes on working"
    assert _everything(scheduled, fleet) == before
    assert len(scheduled.snapshots()) == 1
    # It is as good as new: with the other one gone it takes the next run.
    other = next(worker for worker in scheduled.workers.values() if worker is not runner)
    other.kill()
    schedule = scheduled.admin.send("GET", "schedules").json()[0]
    scheduled.run_id = scheduled.admin.make(f"schedules/{schedule['id']}/run")["job_run_id"]
    wait_until(lambda: scheduled.state()[0] == "success", "the continued worker runs the next one", 30)


def _everything(scheduled: _Scheduled, fleet: Fleet) -> tuple[object, ...]:
    """What a late write would change, in Postgres and in Redis."""
    runs = truth.rows(scheduled.url, "SELECT id, status, attempt, token, worker, finished_at FROM job_runs ORDER BY id")
    stored = truth.rows(scheduled.url, "SELECT id, number, job_run_id, header FROM snapshots ORDER BY id")
    with Redis.from_url(fleet.redis_url) as redis:
        copied = {key: redis.get(key) for key in redis.scan_iter(f"{keys.snapshot(scheduled.endpoint_id)}*")}
    return runs, stored, copied
