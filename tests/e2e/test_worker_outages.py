"""Redis emptied, Postgres away: data planes serve on, workers live on, and all of it is repaired by itself."""

import os
import threading
import time

import httpx
import pytest
from redis import Redis

from qg_bundle import keys
from tests.e2e import truth
from tests.e2e.conftest import Mortal
from tests.e2e.fleet import Admin, Fleet, Running, get
from tests.support.waiting import wait_until

pytestmark = pytest.mark.fault

_REPAIRED_WITHIN_S = 15.0
_OUTAGE_S = float(os.environ.get("OUTAGE_SECONDS", "12"))


class _Watch:
    """Asks a node for two paths all the time; remembers every answer that is not a 200."""

    def __init__(self, node: Running, *paths: str) -> None:
        self._node = node
        self._paths = paths
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self.asked = 0
        self.bad: list[str] = []

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(0.02):
            for path in self._paths:
                self.asked += 1
                try:
                    answer = get(self._node, path)
                    if answer.status_code != 200:
                        self.bad.append(f"{path}: {answer.status_code} {answer.text[:200]}")
                except httpx.HTTPError as error:
                    self.bad.append(f"{path}: {error!r}")


def _make_endpoints(fleet: Fleet, admin: Admin, node: Running) -> None:
    """A live endpoint, and one that answers from snapshots of every 10 s; both answer on the node."""
    connection = admin.connection(fleet.oracle)
    admin.endpoint("live", connection)
    endpoint = admin.endpoint(
        "stored",
        connection,
        sql_text="select item_id, name from items where item_id < 500",
        param_schema={},
        data_strategy="snapshot",
    )
    schedule = admin.make("schedules", endpoint_id=endpoint["id"], schedule_type="interval", interval_seconds=10)
    admin.make(f"schedules/{schedule['id']}/run")
    wait_until(lambda: get(node, "stored").status_code == 200, "the first snapshot is served", 30)


def _read(redis: Redis, key: str) -> bytes:
    found = redis.get(key)
    return found if isinstance(found, bytes) else b""


def _bundle(redis: Redis) -> dict[str, bytes]:
    """What a node without memory reads: specs, the newest checkpoint, the deltas after it, the head."""
    newest, head = (int(_read(redis, key) or b"0") for key in (keys.CHECKPOINT_NEWEST, keys.HEAD))
    wanted = [keys.HEAD, keys.CHECKPOINT_NEWEST, keys.checkpoint(newest)]
    wanted += [keys.delta(revision) for revision in range(newest + 1, head + 1)]
    wanted += [key.decode() for key in redis.scan_iter(f"{keys.SPEC_PREFIX}*")]
    return {key: _read(redis, key) for key in wanted}


def test_a_flushed_redis_is_filled_again_without_the_control_plane(mortal: Mortal) -> None:
    fleet = mortal.fleet
    node = fleet.data_plane(ready=False)
    worker = fleet.worker(ready=False)
    control_plane = fleet.control_plane()
    worker.service.wait_ready()
    node.service.wait_ready()
    with fleet.admin(control_plane) as admin:
        _make_endpoints(fleet, admin, node)
    control_plane.kill()
    with Redis.from_url(fleet.redis_url) as redis, _Watch(node, "live?item_id=7", "stored") as watch:
        before = _bundle(redis)
        redis.flushall()
        flushed = time.monotonic()
        wait_until(lambda: before.items() <= _bundle(redis).items(), "specs, deltas, head are back", _REPAIRED_WITHIN_S)
        wait_until(lambda: bool(redis.zcard(keys.SNAPSHOT_NUMBERS)), "the snapshot is back", _REPAIRED_WITHIN_S)
        print(f"everything is back after {time.monotonic() - flushed:.1f} s")
        again = fleet.data_plane("node-2", ready=False)
        done = truth.one(fleet.app_url, "SELECT count(*) FROM job_runs WHERE status = 'success'")
        wait_until(
            lambda: truth.one(fleet.app_url, "SELECT count(*) FROM job_runs WHERE status = 'success'") > done,
            "schedules go on",
            25,
        )
        # A node without memory starts from what the workers put back.
        wait_until(lambda: _status(again, "live?item_id=7") == 200, "a new node serves", 20)
        wait_until(lambda: _status(again, "stored") == 200, "a new node serves the snapshot", 20)
    assert watch.asked > 20
    assert not watch.bad, watch.bad[:5]
    assert worker.service.poll() is None


@pytest.mark.long
def test_an_outage_of_postgres_is_no_matter_for_data_planes_and_workers(mortal: Mortal) -> None:
    fleet = mortal.fleet
    node = fleet.data_plane(ready=False)
    worker = fleet.worker(ready=False)
    control_plane = fleet.control_plane()
    worker.service.wait_ready()
    node.service.wait_ready()
    with fleet.admin(control_plane) as admin:
        _make_endpoints(fleet, admin, node)
    with _Watch(node, "live?item_id=7", "stored") as watch:
        mortal.postgres.kill()
        time.sleep(_OUTAGE_S)
        assert worker.service.poll() is None
        mortal.postgres.start()
        url = fleet.app_url
        done = truth.one(url, "SELECT count(*) FROM job_runs WHERE status = 'success'")
        wait_until(
            lambda: truth.one(url, "SELECT count(*) FROM job_runs WHERE status = 'success'") > done,
            "schedules go on",
            30,
        )
        answered = watch.asked
        wait_until(lambda: watch.asked > answered + 10, "the watch goes on")
    assert not watch.bad, watch.bad[:5]
    assert worker.service.poll() is None
    wait_until(
        lambda: truth.one(url, "SELECT count(*) FROM access_log WHERE path LIKE '%/live'") >= watch.asked // 2 - 1,
        "every request has its access row",
        30,
    )


def _status(node: Running, path: str) -> int:
    try:
        return get(node, path).status_code
    except httpx.HTTPError:
        return 0
