"""The dashboard: counts of the parts, what the scheduler is at, which snapshots are stale, what anybody may call."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text, update

from control_plane.health import dashboard, stale_snapshots
from control_plane.health.stale_snapshots import look_for_stale
from control_plane.input.kinds import new_id
from qg_bundle.node_reports import put_report
from qg_core.job_runs import RunStatus
from qg_core.nodes import NodeReport, NodeState
from qg_core.producers import producer_of
from qg_core.revisions import SubjectKey
from qg_core.schedule_times import times_between
from qg_core.specs import ConnectionSpec, EndpointSpec, decode_spec
from qg_store.models import Schedule, Snapshot
from qg_store.repositories import publishing as ledger
from tests.fixtures.store import StoreUrls
from tests.integration.control_plane.conftest import MakePlane, Plane, add_admin, client_of, sign_in
from tests.integration.control_plane.scheduled import ENDPOINTS, Things, open_things
from tests.integration.control_plane.scheduled import URL as SCHEDULES

URL = "/api/v1/admin/health/dashboard"
CONNECTIONS, SETTINGS = "/api/v1/admin/connections", "/api/v1/admin/settings"
COMPONENTS = {
    "database", "redis", "publishing", "nodes", "connections", "endpoints", "scheduler", "snapshots", "access_log",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _always_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test asks more often than once a second."""
    monkeypatch.setattr(dashboard, "REMEMBERED_S", 0.0)


@pytest.fixture
async def things(plane: Plane, store_urls: StoreUrls) -> AsyncIterator[Things]:
    async with open_things(plane, store_urls) as made:
        yield made


async def look(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get(URL)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def switch_connection(things: Things, *, on: bool) -> None:
    answer = await things.admin.put(f"{CONNECTIONS}/{things.connection_id}", json={"is_active": on})
    assert answer.status_code == 200, answer.text


async def producer(things: Things, endpoint_id: str) -> str:
    keys = [SubjectKey("endpoint", endpoint_id), SubjectKey("connection", things.connection_id)]
    async with things.plane.control_plane.sessions() as session:
        found = {key: decode_spec(row.body) for key, row in (await ledger.published(session, keys)).items()}
    endpoint, where = found[keys[0]], found[keys[1]]
    assert isinstance(endpoint, EndpointSpec)
    assert isinstance(where, ConnectionSpec)
    return producer_of(endpoint, where)


async def snapshot(things: Things, endpoint_id: str, age: timedelta = timedelta(0), made_by: str | None = None) -> None:
    """A snapshot without pieces, as old as said."""
    row = Snapshot(
        id=new_id(), endpoint_id=endpoint_id, job_run_id=new_id(), header=b"x", row_count=1, truncated=False,
        producer=made_by or await producer(things, endpoint_id), bytes=10, stored_bytes=5,
        created_at=datetime.now(UTC) - age,
    )  # fmt: skip
    async with things.worker.begin() as session:
        session.add(row)


async def test_the_parts_are_counted_and_say_what_is_wrong(things: Things) -> None:
    found = await look(things.admin)
    assert set(found) == {
        "overall", "components", "scheduler", "recent_jobs", "stale_snapshots", "public_endpoints",
    }  # fmt: skip
    parts = found["components"]
    assert set(parts) == COMPONENTS
    assert {name for name, part in parts.items() if part["status"] != "ok"} == {"nodes"}
    assert found["overall"] == "degraded"
    assert parts["connections"]["counts"] == {"total": 1, "active": 0, "inactive_in_use": 0}
    now = time.time()
    report = NodeReport(
        node="node-1", version="0.1.0", formats=(1,), revision=10**6, highest_seen=1, state=NodeState.SERVING,
        last_error=None, since=now, reported_at=now, beacon_issued_at=None,
    )  # fmt: skip
    await put_report(things.plane.control_plane.redis, report)
    assert (await look(things.admin))["overall"] == "ok"

    public = await things.endpoint("public/one")
    method = (await things.admin.post("/api/v1/admin/auth", json={"name": "m", "method_type": "bearer"})).json()["id"]
    await things.endpoint("guarded", allow_unauthenticated=False, auth_method_id=method, is_deprecated=True)
    await things.endpoint("off", is_active=False)
    parts = (found := await look(things.admin))["components"]
    assert parts["endpoints"]["counts"] == {
        "total": 3, "active": 2, "public": 1, "closed": 0, "snapshot": 0, "deprecated": 1,
    }  # fmt: skip
    assert parts["connections"]["status"] == "degraded"
    assert parts["connections"]["counts"]["inactive_in_use"] == 1
    assert found["public_endpoints"] == [{"id": public, "name": "public/one", "path": "public/one"}]
    await switch_connection(things, on=True)
    assert (await look(things.admin))["components"]["connections"]["status"] == "ok"
    await things.admin.delete(f"/api/v1/admin/auth/{method}")
    closed = (await look(things.admin))["components"]["endpoints"]
    assert (closed["status"], closed["counts"]["closed"]) == ("degraded", 1)
    assert "401" in closed["detail"]


async def test_stale_snapshots(things: Things) -> None:
    await switch_connection(things, on=True)
    paths = ("fresh", "missing", "old/cron", "old/interval", "paused", "changed", "unscheduled")
    made = {path: await things.endpoint(path, data_strategy="snapshot") for path in paths}
    for path in ("fresh", "missing", "old/interval", "changed"):
        await things.schedule(made[path])
    await things.schedule(made["old/cron"], schedule_type="cron", interval_seconds=None, cron_expression="0 * * * *")
    paused = await things.schedule(made["paused"])
    assert (await things.admin.post(f"{SCHEDULES}/{paused['id']}/pause")).status_code == 200
    await snapshot(things, made["fresh"], timedelta(hours=5))
    await snapshot(things, made["fresh"])
    await snapshot(things, made["old/interval"], timedelta(hours=9))
    await snapshot(things, made["old/cron"], timedelta(hours=2, minutes=1))
    await snapshot(things, made["changed"], made_by="ab" * 32)
    # The schedule of intervals began just now: count them from a day ago.
    async with things.plane.control_plane.sessions.begin() as session:
        await session.execute(update(Schedule).values(anchor_at=datetime.now(UTC) - timedelta(days=1)))
    found = await look(things.admin)
    assert [(item["path"], item["reason"]) for item in found["stale_snapshots"]] == [
        ("changed", "other_producer"), ("missing", "missing"), ("old/cron", "old"), ("old/interval", "old"),
    ]  # fmt: skip
    ages = {item["path"]: item["age_seconds"] for item in found["stale_snapshots"]}
    assert ages["missing"] is None
    assert 9 * 3_600 <= ages["old/interval"] < 9 * 3_600 + 60
    part = found["components"]["snapshots"]
    assert (part["status"], part["counts"]) == ("degraded", {"scheduled": 5, "stale": 4})
    # A statement that changes, and a connection that is switched off, leave nothing that may be served.
    await things.admin.put(
        f"{ENDPOINTS}/{made['fresh']}", json={"sql_text": "select 1 as one from orders where status = :status"}
    )
    changed = {item["path"]: item["reason"] for item in (await look(things.admin))["stale_snapshots"]}
    assert changed["fresh"] == "other_producer"
    await switch_connection(things, on=False)
    switched = {item["path"]: item["reason"] for item in (await look(things.admin))["stale_snapshots"]}
    assert switched["old/cron"] == "other_producer"


async def test_the_scheduler_and_what_ran(things: Things) -> None:
    endpoint_id = await things.endpoint("stored", data_strategy="snapshot")
    schedule_id = (await things.schedule(endpoint_id))["id"]
    calm = (await look(things.admin))["scheduler"]
    assert calm | {"detail": None} == {
        "status": "ok", "detail": None, "active": 1, "due": 0, "overdue": 0, "live": 0, "queued": 0, "slots_taken": 0,
        "slots_max": 4, "oldest_queued_at": None, "oldest_queued_s": None,
    }  # fmt: skip
    await things.admin.put(f"{SETTINGS}/max_job_concurrency", json={"value": 2})
    run_id = (await things.admin.post(f"{SCHEDULES}/{schedule_id}/run")).json()["job_run_id"]
    waiting = (found := await look(things.admin))["scheduler"]
    assert (waiting["queued"], waiting["live"], waiting["slots_max"]) == (1, 0, 2)
    assert waiting["oldest_queued_s"] >= 0
    assert [(run["id"], run["status"]) for run in found["recent_jobs"]] == [(run_id, "queued")]
    async with things.claimed(RunStatus.FAILED, "ORA-00942: no such table") as claimed:
        assert claimed == run_id
        running = (await look(things.admin))["scheduler"]
    assert (running["queued"], running["live"], running["slots_taken"]) == (0, 1, 1)
    async with things.plane.control_plane.sessions.begin() as session:
        await session.execute(update(Schedule).values(next_run_at=datetime.now(UTC) - timedelta(minutes=1)))
    late = await look(things.admin)
    assert (late["scheduler"]["due"], late["scheduler"]["overdue"], late["scheduler"]["status"]) == (1, 1, "degraded")
    assert "does a worker run?" in late["components"]["scheduler"]["detail"]
    assert late["recent_jobs"][0]["error_detail"] == "ORA-00942: no such table"
    await add_admin(things.plane, "vera", "viewer")
    async with client_of(things.plane.control_plane) as viewer:
        await sign_in(viewer, "vera")
        seen = (await look(viewer))["recent_jobs"][0]
    assert (seen["status"], seen["error_detail"]) == ("failed", None)


async def test_what_takes_time_to_follow_keeps_nobody_else_waiting(
    things: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editor may write cron expressions that take long to follow, as many as there are endpoints."""
    await switch_connection(things, on=True)
    endpoint_id = await things.endpoint("rare", data_strategy="snapshot")
    await things.schedule(endpoint_id, schedule_type="cron", interval_seconds=None, cron_expression="1 */23 29 2 */8")
    await snapshot(things, endpoint_id)
    followed_in: list[threading.Thread] = []

    def followed(*arguments: Any) -> list[datetime]:
        followed_in.append(threading.current_thread())
        return times_between(*arguments)

    monkeypatch.setattr(stale_snapshots, "times_between", followed)
    assert (await look(things.admin))["stale_snapshots"] == []
    assert len(followed_in) == 1
    assert threading.current_thread() not in followed_in


async def test_all_who_ask_are_answered_in_time_when_postgres_is_not(
    things: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard, "LOOK_TIMEOUT_S", 2.0)
    async with things.plane.control_plane.sessions() as session:
        await session.execute(text("LOCK TABLE schedules"))
        started = time.monotonic()
        answers = await asyncio.gather(*(things.admin.get(URL) for _ in range(20)))
        # One after the other they would take 40 s.
        assert time.monotonic() - started < 30
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(503, "store_unavailable")}
    # 1 from a look whose cancellation overtook its statement: that one waits until Postgres gives the lock up for it.
    assert {answer.headers["retry-after"] for answer in answers} <= {"1", "2"}


async def test_many_who_ask_share_one_look(things: Things, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "REMEMBERED_S", 60.0)
    looks = 0

    async def counted(*arguments: Any) -> Any:
        nonlocal looks
        looks += 1
        return await look_for_stale(*arguments)

    monkeypatch.setattr(dashboard, "look_for_stale", counted)
    answers = await asyncio.gather(*(look(things.admin) for _ in range(10)))
    assert looks == 1
    assert all(answer == answers[0] for answer in answers)


async def test_without_redis_it_still_answers(make_plane: MakePlane) -> None:
    plane = await make_plane(REDIS_URL="redis://127.0.0.1:1/0")
    await sign_in(plane.admin)
    answer = await plane.admin.get(URL)
    assert answer.status_code == 200
    found = answer.json()
    assert found["overall"] == "degraded"
    assert {found["components"][name]["status"] for name in ("redis", "nodes")} == {"unavailable"}
    assert found["components"]["database"]["status"] == "ok"
