"""Schedules: what is accepted, when they come, what runs an admin asks for, and what becomes of them at the end."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from qg_core.job_runs import RunStatus
from qg_store.models import AuditEntry, Endpoint, Schedule
from qg_store.repositories import job_runs
from tests.fixtures.store import StoreUrls
from tests.integration.control_plane.conftest import MakePlane, Plane, add_admin, client_of, sign_in
from tests.integration.control_plane.scheduled import ENDPOINTS, NOBODY, REQUIRED, URL, Things, open_things


@pytest.fixture
async def things(plane: Plane, store_urls: StoreUrls) -> AsyncIterator[Things]:
    async with open_things(plane, store_urls) as made:
        made.data_strategy = "snapshot"
        yield made


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def refused(client: httpx.AsyncClient, body: dict[str, Any], url: str = URL) -> dict[str, str]:
    answer = await (client.post(url, json=body) if url == URL else client.put(url, json=body))
    assert answer.status_code == 422, answer.text
    return {problem["field"]: problem["message"] for problem in answer.json()["errors"]}


async def test_create_get_list_delete(things: Things) -> None:
    admin = things.admin
    before = datetime.now(UTC)
    made = await things.schedule(timezone="Europe/Berlin")
    assert made["is_active"] is True
    assert made["cron_expression"] is None
    assert made["last_run_at"] is None
    due = moment(made["next_run_at"]) - timedelta(hours=1)
    assert before - timedelta(seconds=1) <= due <= datetime.now(UTC) + timedelta(seconds=1)
    assert (await admin.get(f"{URL}/{made['id']}/")).json() == made
    assert (await admin.get(f"{URL}/")).json() == [made]
    head = (await admin.get("/api/v1/admin/revisions")).json()[0]["revision"]
    gone = await admin.delete(f"{URL}/{made['id']}")
    assert gone.status_code == 204
    assert gone.headers["x-qg-revision"] == str(head)
    assert (await admin.get(f"{URL}/{made['id']}")).status_code == 404
    assert (await admin.get(URL)).json() == []


async def test_one_schedule_per_endpoint(things: Things) -> None:
    made = await things.schedule()
    body = {"endpoint_id": made["endpoint_id"], "schedule_type": "interval", "interval_seconds": 10}
    again = await things.admin.post(URL, json=body)
    assert again.status_code == 409
    assert again.json()["code"] == "name_taken"
    other = await things.schedule(await things.endpoint("others"))
    moved = await things.admin.put(f"{URL}/{other['id']}", json={"endpoint_id": made["endpoint_id"]})
    assert moved.status_code == 409


async def test_every_problem_is_named_at_once(things: Things) -> None:
    endpoint_id = await things.endpoint(param_schema=REQUIRED, data_strategy="live")
    problems = await refused(
        things.admin,
        {
            "endpoint_id": endpoint_id,
            "schedule_type": "cron",
            "cron_expression": "0 0 * * * *",
            "interval_seconds": 60,
            "timezone": "../../etc/passwd",
        },
    )
    assert set(problems) == {"endpoint_id", "cron_expression", "interval_seconds", "timezone"}
    assert "five fields" in problems["cron_expression"]
    assert "status" in problems["endpoint_id"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"schedule_type": "interval", "interval_seconds": 9}, "interval_seconds"),
    ({"schedule_type": "interval"}, "interval_seconds"),
    ({"schedule_type": "interval", "interval_seconds": 60, "cron_expression": "* * * * *"}, "cron_expression"),
    ({"schedule_type": "cron"}, "cron_expression"),
    ({"schedule_type": "cron", "cron_expression": "61 * * * *"}, "cron_expression"),
    ({"schedule_type": "cron", "cron_expression": "0 0 30 2 *"}, "cron_expression"),
    ({"schedule_type": "cron", "cron_expression": "0 0 */31 * MON#5"}, "cron_expression"),
    ({"schedule_type": "cron", "cron_expression": "* * * * *", "timezone": "europe/berlin"}, "timezone"),
    ({"schedule_type": "daily"}, "schedule_type"),
    ({"schedule_type": "cron", "cron_expression": "* * * * *", "jitter": 1}, "jitter"),
    ({"schedule_type": "cron", "cron_expression": "* * * * *", "endpoint_id": NOBODY}, "endpoint_id"),
    ({"schedule_type": "cron", "cron_expression": "* * * * *", "endpoint_id": "x"}, "endpoint_id"),
]


async def test_what_is_refused(things: Things) -> None:
    endpoint_id = await things.endpoint()
    for body, field in REFUSED:
        assert set(await refused(things.admin, {"endpoint_id": endpoint_id, **body})) == {field}, body


async def test_cron_in_a_zone(things: Things) -> None:
    made = await things.schedule(
        schedule_type="cron", interval_seconds=None, cron_expression=" 30  6 * *   * ", timezone="Asia/Kathmandu"
    )
    assert made["cron_expression"] == "30 6 * * *"
    due = moment(made["next_run_at"])
    assert due.astimezone(UTC).strftime("%H:%M:%S") == "00:45:00"
    assert timedelta() < due - datetime.now(UTC) <= timedelta(days=1)


async def test_partial_updates_move_the_next_time_only_when_the_timing_changes(things: Things) -> None:
    admin = things.admin
    made = await things.schedule(interval_seconds=1_000)
    url = f"{URL}/{made['id']}"
    same = (await admin.put(url, json={"timezone": "UTC"})).json()
    assert same["next_run_at"] == made["next_run_at"]
    shorter = (await admin.put(url, json={"interval_seconds": 100})).json()
    assert moment(shorter["next_run_at"]) < moment(made["next_run_at"])
    cron = (await admin.put(url, json={"schedule_type": "cron", "cron_expression": "0 0 1 1 *"})).json()
    assert cron["interval_seconds"] is None
    assert cron["next_run_at"].startswith(str(datetime.now(UTC).year + 1))
    assert set(await refused(admin, {"interval_seconds": 60}, url)) == {"interval_seconds"}
    assert set(await refused(admin, {"cron_expression": None}, url)) == {"cron_expression"}
    back = (await admin.put(url, json={"schedule_type": "interval", "interval_seconds": 60})).json()
    assert back["cron_expression"] is None
    off = (await admin.put(url, json={"is_active": False})).json()
    assert off["next_run_at"] is None


async def test_pause_and_resume(things: Things) -> None:
    admin = things.admin
    made = await things.schedule(interval_seconds=600)
    url = f"{URL}/{made['id']}"
    paused = await admin.post(f"{url}/pause")
    assert paused.status_code == 200
    assert (paused.json()["is_active"], paused.json()["next_run_at"]) == (False, None)
    assert (await admin.post(f"{url}/pause")).json() == paused.json()
    resumed = (await admin.post(f"{url}/resume/")).json()
    assert resumed["is_active"] is True
    # Counted from the resumption, not from when it was made.
    assert moment(resumed["next_run_at"]) > moment(made["next_run_at"])
    assert (await admin.post(f"{url}/resume")).json()["next_run_at"] == resumed["next_run_at"]
    assert (await admin.post(f"{url}/pause", json={"x": 1})).status_code == 422
    assert (await admin.post(f"{URL}/{NOBODY}/pause")).status_code == 404


async def test_run_now_queues_one_run_and_wakes_workers(things: Things) -> None:
    made = await things.schedule()
    answers = await asyncio.gather(*(things.admin.post(f"{URL}/{made['id']}/run") for _ in range(5)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    run_id = answers[0].json()["job_run_id"]
    assert answers[0].json() == {"status": "queued", "job_run_id": run_id}
    assert await things.woken()
    run = (await things.admin.get(f"{URL}/jobs/{run_id}")).json()
    assert run == (await things.runs(schedule_id=made["id"]))[0]
    assert (run["status"], run["reason"], run["attempt"]) == ("queued", "manual", 0)
    assert (run["schedule_id"], run["endpoint_id"]) == (made["id"], made["endpoint_id"])
    assert await things.work() == run_id
    assert (await things.admin.get(f"{URL}/{made['id']}")).json()["last_run_at"] is not None
    again = await things.admin.post(f"{URL}/{made['id']}/run")
    assert again.json()["job_run_id"] != run_id


async def test_a_paused_schedule_still_runs_on_demand(things: Things) -> None:
    made = await things.schedule(is_active=False)
    assert made["next_run_at"] is None
    assert (await things.admin.post(f"{URL}/{made['id']}/run")).status_code == 202


@pytest.mark.parametrize(("change", "named"), [({"is_active": False}, "inactive"), ({"data_strategy": "live"}, "live")])
async def test_an_endpoint_that_needs_no_snapshot_has_no_run_on_demand(
    things: Things, change: dict[str, Any], named: str
) -> None:
    made = await things.schedule()
    assert (await things.admin.put(f"{ENDPOINTS}/{made['endpoint_id']}", json=change)).status_code == 200
    refusal = await things.admin.post(f"{URL}/{made['id']}/run")
    assert refusal.status_code == 409
    assert refusal.json()["code"] == "not_applicable"
    assert named in refusal.json()["detail"]
    assert await things.runs() == []
    assert not await things.woken()


async def test_a_lost_redis_costs_a_run_nothing(make_plane: MakePlane, things: Things) -> None:
    made = await things.schedule()
    cut_off = await make_plane(REDIS_URL="redis://127.0.0.1:1/0", **_same_gateway(things.plane))
    await sign_in(cut_off.admin)
    answer = await cut_off.admin.post(f"{URL}/{made['id']}/run")
    assert answer.status_code == 202
    assert (await things.runs())[0]["id"] == answer.json()["job_run_id"]


def _same_gateway(plane: Plane) -> dict[str, str]:
    return {name: value for name, value in plane.environ.items() if name != "REDIS_URL"}


@pytest.mark.parametrize("ending", ["delete", "pause", "endpoint"])
async def test_runs_that_wait_are_skipped_when_their_schedule_ends(things: Things, ending: str) -> None:
    made = await things.schedule()
    run_id = (await things.admin.post(f"{URL}/{made['id']}/run")).json()["job_run_id"]
    if ending == "pause":
        assert (await things.admin.post(f"{URL}/{made['id']}/pause")).is_success
    elif ending == "delete":
        assert (await things.admin.delete(f"{URL}/{made['id']}")).is_success
    else:
        assert (await things.admin.delete(f"{ENDPOINTS}/{made['endpoint_id']}")).is_success
        assert (await things.admin.get(URL)).json() == []
    run = (await things.admin.get(f"{URL}/jobs/{run_id}")).json()
    assert run["status"] == "skipped"
    assert run["finished_at"] is not None
    assert run["error_detail"]
    assert run["endpoint_id"] == made["endpoint_id"]
    assert run["schedule_id"] == (made["id"] if ending == "pause" else None)


async def test_jobs_are_filtered_and_limited_newest_first(things: Things) -> None:
    first = await things.schedule()
    second = await things.schedule(await things.endpoint("others"))
    made = []
    for schedule in (first, second, first):
        run_id = (await things.admin.post(f"{URL}/{schedule['id']}/run")).json()["job_run_id"]
        assert await things.work() == run_id
        made.append(run_id)
    assert [run["id"] for run in await things.runs()] == made[::-1]
    assert [run["id"] for run in await things.runs(limit="2")] == made[:0:-1]
    assert [run["id"] for run in await things.runs(schedule_id=second["id"])] == [made[1]]
    assert [run["id"] for run in await things.runs(endpoint_id=first["endpoint_id"])] == [made[2], made[0]]
    for params in ({"limit": "0"}, {"limit": "201"}, {"schedule_id": "x"}, {"status": "queued"}):
        assert (await things.admin.get(f"{URL}/jobs", params=params)).status_code == 422
    assert (await things.admin.get(f"{URL}/jobs/{NOBODY}")).status_code == 404
    assert (await things.admin.get(f"{URL}/jobs/x")).status_code == 422


async def test_only_the_role_admin_reads_what_went_wrong(things: Things) -> None:
    made = await things.schedule()
    run_id = (await things.admin.post(f"{URL}/{made['id']}/run")).json()["job_run_id"]
    assert await things.work(RunStatus.FAILED, "ORA-00942: table or view does not exist") == run_id
    assert "ORA-00942" in (await things.admin.get(f"{URL}/jobs/{run_id}")).text
    for role in ("viewer", "editor"):
        await add_admin(things.plane, role, role)
        async with client_of(things.plane.control_plane) as client:
            await sign_in(client, role)
            for path in (f"{URL}/jobs/{run_id}", f"{URL}/jobs"):
                answer = await client.get(path)
                assert '"failed"' in answer.text
                assert "ORA" not in answer.text


async def test_a_scheduled_endpoint_keeps_its_defaults(things: Things) -> None:
    made = await things.schedule(await things.endpoint(data_strategy="live"))
    url = f"{ENDPOINTS}/{made['endpoint_id']}"
    problems = await refused(things.admin, {"param_schema": REQUIRED, "rows_max": 5}, url)
    assert "schedule" in problems["param_schema.status.required"]
    assert (await things.admin.put(url, json={"rows_max": 5})).status_code == 200
    await things.admin.delete(f"{URL}/{made['id']}")
    assert (await things.admin.put(url, json={"param_schema": REQUIRED})).status_code == 200


async def test_writes_are_audited(things: Things) -> None:
    made = await things.schedule()
    url = f"{URL}/{made['id']}"
    for call in (
        things.admin.put(url, json={"interval_seconds": 60}),
        things.admin.post(f"{url}/pause"),
        things.admin.post(f"{url}/resume"),
        things.admin.post(f"{url}/run"),
        things.admin.delete(url),
    ):
        answer = await call
        assert answer.is_success
        assert answer.headers["x-qg-revision"].isdigit()
    async with things.plane.control_plane.sessions() as session:
        entries = list(
            await session.scalars(
                select(AuditEntry).where(AuditEntry.subject_kind == "schedule").order_by(AuditEntry.id)
            )
        )
    assert [entry.action for entry in entries] == ["create", "update", "pause", "resume", "run", "delete"]
    assert {(entry.actor, entry.subject_id, entry.revision) for entry in entries} == {("ada", made["id"], None)}


async def test_an_update_and_a_scheduler_do_not_overwrite_each_other(things: Things) -> None:
    """The scheduler plans from what it read; a save in between makes it look again."""
    made = await things.schedule()
    async with things.worker() as session:
        stale = await session.get(Schedule, made["id"])
        assert stale is not None
    changed = (await things.admin.put(f"{URL}/{made['id']}", json={"interval_seconds": 60})).json()
    async with things.worker.begin() as session:
        now = datetime.now(UTC)
        assert await job_runs.plan(session, stale, [now - timedelta(seconds=1)], now + timedelta(hours=2), now) is None
    assert (await things.admin.get(f"{URL}/{made['id']}")).json()["next_run_at"] == changed["next_run_at"]
    assert await things.runs() == []


async def test_schedules_are_part_of_no_revision(things: Things) -> None:
    endpoint_id = await things.endpoint()
    before = (await things.admin.get("/api/v1/admin/revisions")).json()[0]["revision"]
    await things.schedule(endpoint_id)
    assert (await things.admin.get("/api/v1/admin/revisions")).json()[0]["revision"] == before
    async with things.plane.control_plane.sessions() as session:
        assert await session.get(Endpoint, endpoint_id) is not None
