"""Many schedules on three workers, with a Redis restart and a killed worker in between: every planned time once.

`STORM_SECONDS` says for how long (the target `make storm` takes two minutes).
"""

import asyncio
import os
import threading
import time
from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise

import asyncpg
import pytest

from tests.e2e import truth
from tests.e2e.conftest import Mortal
from tests.e2e.fleet import Admin, Fleet
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.fault, pytest.mark.timeout(420)]

_SECONDS = float(os.environ.get("STORM_SECONDS", "20"))
_SCHEDULES = 40
_INTERVAL_S = 10
_LIVE_MAX = 3


class _LiveRuns:
    """Counts the runs that are live, again and again, until it is told to stop."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._watch()), daemon=True)
        self.most = 0

    def __enter__(self) -> "_LiveRuns":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    async def _watch(self) -> None:
        connection = await asyncpg.connect(self._url)
        try:
            while not self._over.is_set():
                live = await connection.fetchval("SELECT count(*) FROM job_runs WHERE status = 'running'")
                self.most = max(self.most, live)
                await asyncio.sleep(0.1)
        finally:
            await connection.close()


def _make_schedules(fleet: Fleet, admin: Admin) -> None:
    connection = admin.connection(fleet.oracle)
    for index in range(_SCHEDULES):
        endpoint = admin.endpoint(
            f"storm/{index}",
            connection,
            sql_text=f"select {index} as n from dual",
            param_schema={},
            data_strategy="snapshot",
        )
        admin.make("schedules", endpoint_id=endpoint["id"], schedule_type="interval", interval_seconds=_INTERVAL_S)


def test_every_planned_time_has_one_row(mortal: Mortal) -> None:
    fleet = mortal.fleet
    control_plane = fleet.control_plane()
    workers = [
        fleet.worker(f"worker-{number}", ready=False, MAX_JOB_CONCURRENCY=str(_LIVE_MAX)) for number in (1, 2, 3)
    ]
    for worker in workers:
        worker.service.wait_ready()
    with fleet.admin(control_plane) as admin:
        _make_schedules(fleet, admin)
    began = time.monotonic()
    with _LiveRuns(fleet.app_url) as live:
        time.sleep(_SECONDS / 3)
        mortal.redis.kill()
        mortal.redis.start()
        time.sleep(_SECONDS / 3)
        workers[0].kill()
        time.sleep(max(0.0, began + _SECONDS - time.monotonic()))
    assert all(worker.service.poll() is None for worker in workers[1:]), "the others live on"
    until = datetime.now().astimezone()
    # A killed worker's runs are taken over within 15 s.
    wait_until(lambda: _is_over(fleet, until), "everything due by now is over", 30)

    planned: dict[str, list[datetime]] = defaultdict(list)
    statuses: dict[str, int] = defaultdict(int)
    rows = truth.rows(
        fleet.app_url,
        "SELECT schedule_id::text, planned_at, status FROM job_runs WHERE planned_at <= $1 ORDER BY planned_at",
        until,
    )
    for schedule_id, planned_at, status in rows:
        planned[schedule_id].append(planned_at)
        statuses[status] += 1
    print(f"{len(rows)} planned times: {dict(statuses)}; at most {live.most} live at once")
    anchors = truth.rows(fleet.app_url, "SELECT id::text, anchor_at FROM schedules")
    assert len(anchors) == _SCHEDULES
    for schedule_id, anchor in anchors:
        times = planned[schedule_id]
        assert times[0] == anchor + timedelta(seconds=_INTERVAL_S), "none missing at the start"
        assert all(later - earlier == timedelta(seconds=_INTERVAL_S) for earlier, later in pairwise(times)), times
        assert until - times[-1] < timedelta(seconds=_INTERVAL_S + 3), "none missing at the end"
    assert set(statuses) <= {"success", "skipped"}, statuses
    assert statuses["success"] > statuses["skipped"], "runs are the rule"
    assert 0 < live.most <= _LIVE_MAX
    per_run = truth.one(
        fleet.app_url, "SELECT coalesce(max(n), 0) FROM (SELECT count(*) n FROM snapshots GROUP BY job_run_id) x"
    )
    assert per_run == 1


def _is_over(fleet: Fleet, until: datetime) -> bool:
    """Whether everything due until then is planned and has ended."""
    due: int = truth.one(fleet.app_url, "SELECT count(*) FROM schedules WHERE next_run_at <= $1", until)
    live: int = truth.one(
        fleet.app_url,
        "SELECT count(*) FROM job_runs WHERE planned_at <= $1 AND status IN ('queued', 'running')",
        until,
    )
    return due == 0 and live == 0
