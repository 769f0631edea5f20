"""Control planes killed at every step of a publish, and two that write at once: nothing lost, no number used twice."""

import asyncio
import contextlib
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import httpx
import pytest

from qg_activation.fault_points import FaultPoint
from tests.e2e.fleet import Admin, Fleet, Running, get
from tests.fixtures.store import StoreUrls
from tests.support.waiting import wait_until

pytestmark = pytest.mark.fault

_ATTEMPTS_MAX = 10
_WRITERS = 2
_WRITES_EACH = 15


def _revisions(url: str) -> list[tuple[int, int]]:
    """All (revision, previous) in order."""

    async def read() -> list[tuple[int, int]]:
        connection = await asyncpg.connect(url)
        try:
            rows = await connection.fetch("SELECT revision, previous FROM revisions ORDER BY revision")
        finally:
            await connection.close()
        return [(row["revision"], row["previous"]) for row in rows]

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(read())).result()


def _assert_chain(url: str) -> None:
    revisions = _revisions(url)
    assert [previous for _, previous in revisions] == [0, *[revision for revision, _ in revisions[:-1]]]


@pytest.mark.timeout(400)
def test_a_kill_at_any_step_loses_nothing_that_was_committed(fleet: Fleet, store_urls: StoreUrls) -> None:
    node = fleet.data_plane(ready=False)
    survivor = fleet.control_plane(name="survivor")
    with fleet.admin(survivor) as admin:
        connection = admin.connection(fleet.oracle)
        admin.endpoint("before", connection)
        node.service.wait_ready()
        for point in FaultPoint:
            _kill_at(fleet, point, connection)
            assert get(node, "before?item_id=7").status_code == 200, "the old catalog serves on"
            _heal(admin, node, point, connection)
        survivor.service.stop()
        _kill_at(fleet, FaultPoint.AFTER_COMMIT, connection)
    with fleet.admin(fleet.control_plane(name="alone")) as admin:
        wait_until(lambda: _last_saved_is_served(admin, node), "a control plane that starts alone finishes the work")
    _assert_chain(store_urls.app)


def _kill_at(fleet: Fleet, point: FaultPoint, connection: str) -> None:
    """Save endpoints through a control plane until it dies at the point: at once, unless the survivor was quicker."""
    doomed = fleet.control_plane(name=f"doomed-{point.value}", QG_FAULT_POINT=point.value)
    with fleet.admin(doomed) as admin:
        for _ in range(_ATTEMPTS_MAX):
            path = f"during/{point.value}/{time.monotonic_ns()}"
            try:
                answered = admin.send("POST", "endpoints", _endpoint(path, connection)).status_code
            except httpx.TransportError:
                break
            assert answered == 201
            assert point is not FaultPoint.BEFORE_COMMIT, "nothing is answered before it is committed"
            with contextlib.suppress(AssertionError):
                wait_until(lambda: doomed.service.poll() is not None, "killed", 2)
                break
    wait_until(lambda: doomed.service.poll() is not None, f"killed at {point}")
    assert doomed.service.poll() == -signal.SIGKILL


def _heal(admin: Admin, node: Running, point: FaultPoint, connection: str) -> None:
    saved = [path for path in _saved(admin) if path.startswith(f"during/{point.value}/")]
    assert bool(saved) is (point is not FaultPoint.BEFORE_COMMIT)
    for path in saved:
        wait_until(lambda of=path: get(node, f"{of}?item_id=7").status_code == 200, "what was committed is served")  # type: ignore[misc]  # mypy: a default binds the value of this turn
    admin.endpoint(f"after/{point.value}", connection)
    wait_until(lambda: get(node, f"after/{point.value}?item_id=7").status_code == 200, "publishing goes on")


def _saved(admin: Admin) -> list[str]:
    return [endpoint["path"] for endpoint in admin.send("GET", "endpoints").json()]


def _last_saved_is_served(admin: Admin, node: Running) -> bool:
    paths = [path for path in _saved(admin) if path.startswith("during/")]
    return all(get(node, f"{path}?item_id=7").status_code == 200 for path in paths)


def test_two_control_planes_write_at_once(fleet: Fleet, store_urls: StoreUrls) -> None:
    planes = [fleet.control_plane(name=f"control-plane-{index}") for index in range(_WRITERS)]
    nodes = [fleet.data_plane(f"node-{index}") for index in range(2)]
    admins = [fleet.admin(plane) for plane in planes]
    connection = admins[0].connection(fleet.oracle)

    def write(index: int) -> list[int]:
        return [_save(admins[index], f"rival/{index}/{number}", connection) for number in range(_WRITES_EACH)]

    with ThreadPoolExecutor(_WRITERS) as pool:
        revisions = [revision for taken in pool.map(write, range(_WRITERS)) for revision in taken]
    assert len(set(revisions)) == len(revisions) == _WRITERS * _WRITES_EACH
    _assert_chain(store_urls.app)
    for node in nodes:
        wait_until(lambda at=node: _revision_of(at) >= max(revisions), "the node converges")  # type: ignore[misc]  # mypy: a default binds the value of this turn
        for index in range(_WRITERS):
            for number in range(_WRITES_EACH):
                assert get(node, f"rival/{index}/{number}?item_id=7").status_code == 200


def _endpoint(path: str, connection_id: str) -> dict[str, object]:
    return {
        "name": path,
        "path": path,
        "connection_id": connection_id,
        "sql_text": "select item_id from items where item_id = :item_id",
        "param_schema": {"item_id": {"type": "integer"}},
        "allow_unauthenticated": True,
    }


def _save(admin: Admin, path: str, connection_id: str) -> int:
    answer = admin.send("POST", "endpoints", _endpoint(path, connection_id))
    assert answer.status_code == 201, answer.text
    return int(answer.headers["X-QG-Revision"])


def _revision_of(node: Running) -> int:
    return int(get(node, "no/such/path").headers["X-QG-Revision"])
