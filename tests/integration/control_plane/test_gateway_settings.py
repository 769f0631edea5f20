"""Stored settings: their routes, what is published of them, and how they act in control planes."""

from typing import Any

import httpx

from qg_core.gateway_settings import GATEWAY_SETTINGS, settings_spec
from qg_core.revisions import SubjectKey
from qg_core.specs import SETTINGS_ID, SettingsSpec, SpecKind, decode_spec
from qg_store.models import StoredSetting
from qg_store.repositories import publishing as ledger
from qg_telemetry.events import Level, SettingsApplied
from qg_telemetry.log import Log
from qg_telemetry.sink import LineSink
from tests.integration.control_plane.conftest import MakePlane, Plane, sign_in
from tests.support.waiting import until

URL = "/api/v1/admin/settings"
KEY = SubjectKey(SpecKind.SETTINGS.value, SETTINGS_ID)


async def published(plane: Plane) -> SettingsSpec | None:
    """The spec of the newest revision."""
    async with plane.control_plane.sessions() as session:
        found = (await ledger.published(session, [KEY])).get(KEY)
    if found is None:
        return None
    spec = decode_spec(found.body)
    assert isinstance(spec, SettingsSpec)
    return spec


async def audited(admin: httpx.AsyncClient) -> list[tuple[str, str, str]]:
    page = (await admin.get("/api/v1/admin/audit-log?subject=setting")).json()
    return [(item["action"], item["subject_id"], item["summary"]) for item in page["items"]]


async def test_every_known_setting_is_listed_with_where_its_value_comes_from(make_plane: MakePlane) -> None:
    plane = await make_plane(CORS_ORIGINS="https://own.example", LOG_LEVEL="WARNING")
    await sign_in(plane.admin)
    listed = (await plane.admin.get(URL)).json()
    assert [item["key"] for item in listed] == list(GATEWAY_SETTINGS)
    assert {item["key"]: (item["value"], item["source"]) for item in listed} == {
        "log_level": ("WARNING", "environment"),
        "query_timeout_seconds": (300, "default"),
        "cors_origins": (["https://own.example"], "environment"),
        "snapshot_retention_count": (5, "default"),
        "max_job_concurrency": (4, "default"),
        "access_log_retention_days": (90, "default"),
    }
    for item in listed:
        assert set(item) == {"key", "value", "source", "description", "is_secret", "updated_at", "updated_by"}
        assert (item["is_secret"], item["updated_at"], item["updated_by"]) == (False, None, None)
        assert (await plane.admin.get(f"{URL}/{item['key']}")).json() == item
    assert (await plane.admin.get(f"{URL}/restart-keys")).json() == []


async def test_a_value_is_stored_published_audited_and_taken_away_again(plane: Plane, admin: httpx.AsyncClient) -> None:
    assert await published(plane) is None
    stored = await admin.put(f"{URL}/max_job_concurrency", json={"value": 2})
    assert stored.status_code == 200, stored.text
    assert (stored.json()["value"], stored.json()["source"], stored.json()["updated_by"]) == (2, "stored", "ada")
    first = int(stored.headers["x-qg-revision"])
    assert await published(plane) == settings_spec({"max_job_concurrency": 2})
    changed = await admin.put(f"{URL}/max_job_concurrency", json={"value": 3})
    assert int(changed.headers["x-qg-revision"]) == first + 1
    assert changed.json()["updated_at"] > stored.json()["updated_at"]
    same = await admin.put(f"{URL}/max_job_concurrency", json={"value": 3})
    assert int(same.headers["x-qg-revision"]) == first + 1
    assert same.json() == changed.json()
    for _ in range(2):
        gone = await admin.put(f"{URL}/max_job_concurrency", json={"value": None})
        assert (gone.json()["value"], gone.json()["source"], gone.json()["updated_at"]) == (4, "default", None)
        assert int(gone.headers["x-qg-revision"]) == first + 2
    assert await published(plane) is None
    assert await audited(admin) == [
        ("reset", "max_job_concurrency", "took the stored max_job_concurrency away"),
        ("update", "max_job_concurrency", "set max_job_concurrency to 3"),
        ("update", "max_job_concurrency", "set max_job_concurrency to 2"),
    ]


async def test_several_are_stored_in_one_revision(plane: Plane, admin: httpx.AsyncClient) -> None:
    values = {
        "log_level": "ERROR", "query_timeout_seconds": 300, "cors_origins": ["https://a.example"],
        "snapshot_retention_count": 1, "max_job_concurrency": 10, "access_log_retention_days": 3650,
    }  # fmt: skip
    stored = await admin.put(URL, json={"settings": values})
    assert stored.status_code == 200, stored.text
    assert {item["key"]: item["value"] for item in stored.json()} == values
    assert await published(plane) == settings_spec(values)
    back = await admin.put(URL, json={"settings": {"log_level": None, "cors_origins": []}})
    assert int(back.headers["x-qg-revision"]) == int(stored.headers["x-qg-revision"]) + 1
    rest = {key: value for key, value in values.items() if key != "log_level"}
    assert await published(plane) == settings_spec({**rest, "cors_origins": []})
    assert ("update", "cors_origins", "set cors_origins to nothing") in await audited(admin)
    nothing = await admin.put(URL, json={"settings": {}})
    assert nothing.headers["x-qg-revision"] == back.headers["x-qg-revision"]


async def test_all_or_nothing_with_every_problem_at_once(plane: Plane, admin: httpx.AsyncClient) -> None:
    wrong: dict[str, Any] = {
        "max_job_concurrency": 11,
        "log_level": "loud",
        "cors_origins": ["https://a.example", "*"],
        "no_such_key": 1,
        "query_timeout_seconds": 60,
    }
    refused = await admin.put(URL, json={"settings": wrong})
    assert refused.status_code == 422
    assert {item["field"] for item in refused.json()["errors"]} == {
        "settings.max_job_concurrency", "settings.log_level", "settings.cors_origins", "settings.no_such_key",
    }  # fmt: skip
    assert await published(plane) is None
    assert {item["source"] for item in (await admin.get(URL)).json()} <= {"environment", "default"}
    assert await audited(admin) == []


OUT_OF_RANGE: list[tuple[str, object]] = [
    ("log_level", "debug"), ("log_level", ["DEBUG"]), ("log_level", 10), ("log_level", "x" * 100),
    ("query_timeout_seconds", 0), ("query_timeout_seconds", 301), ("query_timeout_seconds", "30"),
    ("query_timeout_seconds", 1.5), ("query_timeout_seconds", True), ("query_timeout_seconds", 10**30),
    ("cors_origins", "https://a.example"), ("cors_origins", ["*"]), ("cors_origins", ["https://a.example/x"]),
    ("cors_origins", ["https://a.example\r\nset-cookie: x"]), ("cors_origins", [1]), ("cors_origins", {}),
    ("snapshot_retention_count", 0), ("max_job_concurrency", 0), ("access_log_retention_days", 3651),
]  # fmt: skip


async def test_a_value_out_of_its_range_is_422(admin: httpx.AsyncClient) -> None:
    for key, value in OUT_OF_RANGE:
        refused = await admin.put(f"{URL}/{key}", json={"value": value})
        assert refused.status_code == 422, refused.text
        assert refused.json()["errors"][0]["field"].startswith("value")
        assert (await admin.get(f"{URL}/{key}")).json()["source"] != "stored"


async def test_what_is_not_known_is_404_and_a_body_without_value_422(admin: httpx.AsyncClient) -> None:
    assert (await admin.get(f"{URL}/no_such_key")).status_code == 404
    assert (await admin.put(f"{URL}/no_such_key", json={"value": 1})).status_code == 404
    for body in ({}, {"value": 1, "more": 2}):
        assert (await admin.put(f"{URL}/max_job_concurrency", json=body)).status_code == 422
    assert (await admin.put(URL, json={})).status_code == 422
    assert (await admin.put(URL, json={"settings": {"x" * 65: 1}})).status_code == 422


async def test_rolling_back_leaves_settings_alone(plane: Plane, admin: httpx.AsyncClient) -> None:
    first = await admin.put(f"{URL}/max_job_concurrency", json={"value": 2})
    await admin.put(f"{URL}/max_job_concurrency", json={"value": 3})
    back = await admin.post(f"/api/v1/admin/revisions/{first.headers['x-qg-revision']}/rollback")
    assert back.status_code == 200, back.text
    assert await published(plane) == settings_spec({"max_job_concurrency": 3})


async def allows(client: httpx.AsyncClient, origin: str) -> bool:
    answer = await client.get("/api/v1/admin/health/live", headers={"origin": origin})
    return origin in answer.headers.get_list("access-control-allow-origin")


async def test_origins_act_here_at_once_elsewhere_soon_and_after_a_restart(make_plane: MakePlane) -> None:
    own, stored = "https://own.example", "https://stored.example"
    here, elsewhere = await make_plane(CORS_ORIGINS=own), await make_plane(CORS_ORIGINS=own)
    await sign_in(here.admin)
    assert await allows(here.client, own)
    await here.admin.put(f"{URL}/cors_origins", json={"value": [stored]})
    assert await allows(here.client, stored)
    assert not await allows(here.client, own)

    async def arrived() -> bool:
        return await allows(elsewhere.client, stored)

    await until(arrived)
    assert not await allows(elsewhere.client, own)
    restarted = await make_plane(CORS_ORIGINS=own)
    assert await allows(restarted.client, stored)
    await here.admin.put(f"{URL}/cors_origins", json={"value": None})
    assert await allows(here.client, own)
    assert not await allows(here.client, stored)
    said = [event.stored for event in here.events if isinstance(event, SettingsApplied)]
    assert said == [(f"cors_origins={stored}",), ()]


async def test_the_log_level_follows(make_plane: MakePlane) -> None:
    log = Log("control-plane", Level.WARNING, LineSink())
    plane = await make_plane(log=log)
    await sign_in(plane.admin)
    levels = []
    for value in ("ERROR", "DEBUG", None):
        await plane.admin.put(f"{URL}/log_level", json={"value": value})
        levels.append(log.level)
    assert levels == [Level.ERROR, Level.DEBUG, Level.WARNING]


async def test_a_row_written_by_hand_out_of_its_range_is_reported_once_and_ignored(plane: Plane) -> None:
    async with plane.control_plane.sessions.begin() as session:
        session.add(StoredSetting(key="cors_origins", value=["*"], updated_by="nobody"))
    for _ in range(3):
        await plane.control_plane.applied_settings.look()
    assert not await allows(plane.client, "*")
    assert [event.event for event in plane.events].count("unforeseen_error") == 1
