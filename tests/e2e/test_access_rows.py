"""One access row per request, whatever becomes of Redis, Postgres and workers; what a kill loses is counted."""

import asyncio
import os
import threading
import time

import pytest

from tests.e2e import truth
from tests.e2e.callers import Caller
from tests.e2e.conftest import Mortal
from tests.e2e.fleet import Fleet, Running
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]

_REQUESTS = int(os.environ.get("ACCESS_REQUESTS", "6000"))
_CONNECTIONS = 16
_TARGET = "/api/v1/data/counted?item_id=7"


class _Senders:
    """Sends that many requests from a thread of its own; `answered` counts."""

    def __init__(self, node: Running, requests: int) -> None:
        self._node = node
        self._numbers = iter(range(requests))
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()), daemon=True)
        self.answered = 0

    def start(self) -> None:
        self._thread.start()

    def wait(self) -> None:
        self._thread.join()

    async def _send(self) -> None:
        await asyncio.gather(*(self._run() for _ in range(_CONNECTIONS)))

    async def _run(self) -> None:
        caller = Caller(self._node)
        try:
            for _ in self._numbers:
                assert await caller.ask(_TARGET) == 200
                self.answered += 1
        finally:
            caller.close()


def _serving(fleet: Fleet) -> Running:
    node = fleet.data_plane(ready=False)
    control_plane = fleet.control_plane()
    node.service.wait_ready()
    with fleet.admin(control_plane) as admin:
        admin.endpoint("counted", admin.connection(fleet.oracle), concurrency_max=100)
        revision = admin.revision
    wait_until(lambda: int(_head(fleet)) >= revision, "it is activated")
    wait_until(lambda: asyncio.run(_once(node)) == 200, "it is served")
    return node


async def _once(node: Running) -> int:
    caller = Caller(node)
    try:
        return await caller.ask(_TARGET)
    finally:
        caller.close()


def _head(fleet: Fleet) -> int:
    head: int = truth.one(fleet.app_url, "SELECT activated FROM publish_state")
    return head


def _rows(fleet: Fleet) -> int:
    count: int = truth.one(fleet.app_url, "SELECT count(*) FROM access_log WHERE status = 200")
    return count


def test_every_request_gives_one_row_whatever_is_killed(mortal: Mortal) -> None:
    fleet = mortal.fleet
    node = _serving(fleet)
    workers = [fleet.worker(name, ready=False) for name in ("worker-1", "worker-2")]
    for worker in workers:
        worker.service.wait_ready()
    wait_until(lambda: _rows(fleet) >= 1, "rows arrive", 30)
    before = _rows(fleet)
    senders = _Senders(node, _REQUESTS)
    started = time.monotonic()
    senders.start()
    wait_until(lambda: senders.answered >= _REQUESTS // 5, "a fifth is answered", 60)
    mortal.redis.kill()
    mortal.redis.start()
    wait_until(lambda: senders.answered >= _REQUESTS // 5 * 2, "two fifths are answered", 60)
    mortal.redis.stop()
    mortal.redis.start()
    wait_until(lambda: senders.answered >= _REQUESTS // 5 * 3, "three fifths are answered", 60)
    mortal.postgres.kill()
    mortal.postgres.start()
    senders.wait()
    print(f"{senders.answered} requests in {time.monotonic() - started:.1f} s")
    assert senders.answered == _REQUESTS
    taken_s = wait_until(lambda: _rows(fleet) - before >= _REQUESTS, "all rows are there", 60)
    print(f"all rows {taken_s:.1f} s later")
    time.sleep(1)
    assert _rows(fleet) - before == _REQUESTS
    assert truth.one(fleet.app_url, "SELECT sum(lost) FROM access_sources") == 0
    assert all(worker.service.poll() is None for worker in workers)


def test_what_a_kill_loses_is_counted(mortal: Mortal) -> None:
    fleet = mortal.fleet
    node = _serving(fleet)
    worker = fleet.worker()
    answered = asyncio.run(_until_killed(node))
    fleet.data_plane()
    wait_until(
        lambda: _rows(fleet) + truth.one(fleet.app_url, "SELECT coalesce(sum(lost), 0) FROM access_sources") > answered,
        "rows and the gap together make up for every answer",
        60,
    )
    rows, lost = _rows(fleet), truth.one(fleet.app_url, "SELECT sum(lost) FROM access_sources")
    print(f"{answered} answers, {rows} rows, {lost} lost")
    # The answers of `_serving`, and those that were on their way when the node was killed.
    assert answered < rows + lost <= answered + 60 + _CONNECTIONS
    assert worker.service.poll() is None


async def _until_killed(node: Running) -> int:
    """Ask from several connections, kill the node in the middle; how many answers came."""
    answered = 0

    async def run() -> None:
        nonlocal answered
        caller = Caller(node)
        try:
            while True:
                await caller.ask(_TARGET)
                answered += 1
        except (OSError, EOFError):
            return
        finally:
            caller.close()

    running = [asyncio.create_task(run()) for _ in range(_CONNECTIONS)]
    await asyncio.sleep(1.5)
    await asyncio.to_thread(node.kill)
    await asyncio.gather(*running)
    return answered
