"""What admins read about the past and the fleet: audit log, revisions, nodes."""

import time

import httpx

from qg_bundle.node_reports import put_report
from qg_core.nodes import NodeReport, NodeState
from tests.integration.control_plane.conftest import Plane
from tests.integration.control_plane.test_connections import URL, connection


async def test_the_audit_log_pages(admin: httpx.AsyncClient) -> None:
    for number in range(5):
        body = {"name": f"m{number}", "method_type": "bearer"}
        assert (await admin.post("/api/v1/admin/auth", json=body)).status_code == 201
    seen, cursor = [], ""
    while True:
        page = (await admin.get(f"/api/v1/admin/audit-log?limit=2&action=create{cursor}")).json()
        assert set(page) == {"items", "next_cursor"}
        seen += [item["summary"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == 5
    assert "'m4'" in seen[0]
    one = (await admin.get("/api/v1/admin/audit-log?action=create&limit=1")).json()["items"][0]
    subject = f"{one['subject_kind']}:{one['subject_id']}"
    for query in (f"subject={subject}", f"subject={one['subject_id']}", f"request_id={one['request_id']}"):
        assert [item["id"] for item in (await admin.get(f"/api/v1/admin/audit-log?{query}")).json()["items"]] == [
            one["id"]
        ]
    assert (await admin.get("/api/v1/admin/audit-log?actor=nobody")).json() == {"items": [], "next_cursor": None}
    assert (await admin.get("/api/v1/admin/audit-log?until=2001-01-01T00:00:00Z")).json()["items"] == []
    assert one["revision"] is not None
    assert one["remote_ip"] == "192.0.2.1"


async def test_revisions_can_be_read_compared_and_rolled_back(admin: httpx.AsyncClient) -> None:
    made = await admin.post(URL, json=connection())
    first = int(made.headers["x-qg-revision"])
    changed = await admin.put(f"{URL}/{made.json()['id']}", json={"pool_max": 9, "password": "another s3cret"})
    second = int(changed.headers["x-qg-revision"])
    listed = (await admin.get("/api/v1/admin/revisions?limit=2")).json()
    assert [item["revision"] for item in listed] == [second, first]
    detail = (await admin.get(f"/api/v1/admin/revisions/{second}")).json()
    assert [item["kind"] for item in detail["changes"]] == ["connection"]
    diff = await admin.get(f"/api/v1/admin/revisions/{first}/diff/{second}")
    fields = {item["field"]: (item["before"], item["after"]) for item in diff.json()["differences"][0]["fields"]}
    assert fields == {"pool_max": (5, 9), "secret": (None, None)}
    assert "s3cret" not in diff.text
    assert (await admin.get(f"/api/v1/admin/revisions/{first}/diff/{second + 5}")).status_code == 404
    for wrong in ("0", "-1", "x", "9" * 30, "1.0", "%31%00"):
        assert (await admin.get(f"/api/v1/admin/revisions/{wrong}")).status_code == 422, wrong
    back = await admin.post(f"/api/v1/admin/revisions/{first}/rollback")
    assert back.status_code == 200, back.text
    assert back.json()["revision"] == int(back.headers["x-qg-revision"]) == second + 1
    assert (await admin.get(f"{URL}/{made.json()['id']}")).json()["pool_max"] == 5


async def test_nodes_are_listed(admin: httpx.AsyncClient, plane: Plane) -> None:
    assert (await admin.get("/api/v1/admin/nodes")).json() == []
    now = time.time()
    report = NodeReport(
        node="node-1", version="0.1.0", formats=(1,), revision=0, highest_seen=1, state=NodeState.BEHIND,
        last_error="why", since=now, reported_at=now, beacon_issued_at=None,
    )  # fmt: skip
    await put_report(plane.control_plane.redis, report)
    nodes = (await admin.get("/api/v1/admin/nodes")).json()
    assert nodes[0]["lag"] >= 1
    assert (nodes[0]["node"], nodes[0]["state"], nodes[0]["last_error"]) == ("node-1", "behind", "why")
