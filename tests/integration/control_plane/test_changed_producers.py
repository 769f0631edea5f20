"""What is published anew queues a run where, and only where, it changes what produces a snapshot."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.fixtures.store import StoreUrls
from tests.integration.control_plane.conftest import Plane
from tests.integration.control_plane.scheduled import ENDPOINTS, URL, Things, open_things

CONNECTIONS = "/api/v1/admin/connections"


@pytest.fixture
async def things(plane: Plane, store_urls: StoreUrls) -> AsyncIterator[Things]:
    async with open_things(plane, store_urls) as made:
        # Published: an inactive connection produces nothing. Nobody listens there, which the saves below survive.
        answer = await plane.admin.put(f"{CONNECTIONS}/{made.connection_id}", json={"is_active": True})
        assert answer.is_success
        made.data_strategy = "snapshot"
        yield made


async def change(things: Things, url: str, **fields: Any) -> None:
    await things.woken()
    answer = await things.admin.put(url, json=fields)
    assert answer.is_success, answer.text


async def reasons(things: Things) -> list[str]:
    return [f"{run['reason']} {run['status']}" for run in await things.runs()]


async def test_a_changed_endpoint_queues_one_run_and_wakes_workers(things: Things) -> None:
    made = await things.schedule()
    url = f"{ENDPOINTS}/{made['endpoint_id']}"
    await change(things, url, name="other", description="x", timeout_ms=5_000, concurrency_max=2)
    assert await things.runs() == []
    assert not await things.woken()
    await change(things, url, rows_max=7)
    assert await things.woken()
    await change(things, url, column_map={"ORDER_ID": "id"})
    assert await reasons(things) == ["spec_changed queued"]
    run = (await things.runs())[0]
    assert (run["schedule_id"], run["endpoint_id"]) == (made["id"], made["endpoint_id"])
    assert await things.work() == run["id"]
    await change(things, url, numbers="string")
    assert await reasons(things) == ["spec_changed queued", "spec_changed success"]


async def test_a_run_that_began_before_the_change_does_not_count(things: Things) -> None:
    made = await things.schedule()
    url = f"{ENDPOINTS}/{made['endpoint_id']}"
    await things.admin.post(f"{URL}/{made['id']}/run")
    async with things.claimed():
        await change(things, url, rows_max=7)
        assert await reasons(things) == ["spec_changed queued", "manual running"]


async def test_a_changed_connection_queues_runs_of_its_scheduled_endpoints_alone(things: Things) -> None:
    admin = things.admin
    scheduled = [await things.schedule(await things.endpoint(path)) for path in ("one", "two")]
    await things.endpoint("unscheduled")
    other = await admin.post(
        CONNECTIONS,
        json={"name": "o", "host": "127.0.0.1", "port": 1, "service_name": "x", "username": "u", "password": "p"},
    )
    assert other.status_code == 201
    elsewhere = await things.schedule(await things.endpoint("elsewhere", connection_id=other.json()["id"]))
    url = f"{CONNECTIONS}/{things.connection_id}"
    await change(things, url, pool_max=9, query_timeout=99, password="another")
    assert await things.runs() == []
    await change(things, url, username="other", password="another")
    assert await things.woken()
    assert {run["schedule_id"] for run in await things.runs()} == {made["id"] for made in scheduled}
    # And an endpoint that moves to another connection.
    await change(things, f"{ENDPOINTS}/{elsewhere['endpoint_id']}", connection_id=things.connection_id)
    assert len(await things.runs(schedule_id=elsewhere["id"])) == 1


async def test_what_produces_nothing_queues_nothing_until_it_returns(things: Things) -> None:
    made = await things.schedule()
    url = f"{ENDPOINTS}/{made['endpoint_id']}"
    await change(things, url, is_active=False)
    await change(things, url, rows_max=7)
    assert await things.runs() == []
    await change(things, url, is_active=True)
    assert await reasons(things) == ["spec_changed queued"]


async def test_a_live_endpoint_needs_no_snapshot_until_it_is_to_answer_from_one(things: Things) -> None:
    made = await things.schedule(await things.endpoint(data_strategy="live"))
    url = f"{ENDPOINTS}/{made['endpoint_id']}"
    await change(things, url, rows_max=7)
    assert await things.runs() == []
    await change(things, url, data_strategy="snapshot")
    assert await reasons(things) == ["spec_changed queued"]


async def test_rolling_back_queues_runs_too(things: Things) -> None:
    made = await things.schedule()
    url = f"{ENDPOINTS}/{made['endpoint_id']}"
    then = (await things.admin.get("/api/v1/admin/revisions")).json()[0]["revision"]
    await change(things, url, rows_max=7)
    await things.work()
    await things.woken()
    answer = await things.admin.post(f"/api/v1/admin/revisions/{then}/rollback")
    assert answer.is_success
    assert await things.woken()
    assert await reasons(things) == ["spec_changed queued", "spec_changed success"]


async def test_rolling_back_leaves_out_what_a_schedule_could_not_run(things: Things) -> None:
    required = {"status": {"type": "string"}}
    endpoint_id = await things.endpoint(param_schema=required, data_strategy="live")
    then = (await things.admin.get("/api/v1/admin/revisions")).json()[0]["revision"]
    optional = {"status": {"type": "string", "required": False, "default": "open"}}
    await change(things, f"{ENDPOINTS}/{endpoint_id}", param_schema=optional)
    await things.schedule(endpoint_id)
    answer = await things.admin.post(f"/api/v1/admin/revisions/{then}/rollback")
    assert answer.is_success
    assert any("schedule" in line for line in answer.json()["left_out"])
    kept = (await things.admin.get(f"{ENDPOINTS}/{endpoint_id}")).json()
    assert kept["param_schema"]["status"]["required"] is False


async def test_a_change_that_is_refused_queues_nothing(things: Things) -> None:
    made = await things.schedule()
    await things.endpoint("taken")
    await things.woken()
    answer = await things.admin.put(f"{ENDPOINTS}/{made['endpoint_id']}", json={"rows_max": 7, "path": "taken"})
    assert answer.status_code == 409
    assert await things.runs() == []
    assert not await things.woken()
