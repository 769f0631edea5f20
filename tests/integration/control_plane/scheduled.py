"""Scheduled endpoints on a control plane, and what a worker does with their runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from qg_bundle.wake import JOB_ID, QUEUE_NAME
from qg_core.job_runs import RunStatus
from qg_store.engine import SessionFactory, make_engine, make_sessions
from qg_store.repositories import job_runs
from tests.fixtures.store import StoreUrls
from tests.integration.control_plane.conftest import Plane
from tests.integration.control_plane.test_connections import connection

URL = "/api/v1/admin/schedules"
ENDPOINTS = "/api/v1/admin/endpoints"
NOBODY = "11111111-1111-4111-8111-111111111111"
OPTIONAL = {"status": {"type": "string", "required": False, "default": "open"}}
REQUIRED = {"status": {"type": "string"}}


class Things:
    """A connection that leads nowhere and endpoints on it."""

    def __init__(self, plane: Plane, worker: SessionFactory, connection_id: str) -> None:
        self.plane = plane
        self.worker = worker
        self.admin = plane.admin
        self.connection_id = connection_id
        self.data_strategy = "live"
        """Of endpoints made from now on. A live one has no runs."""

    async def endpoint(self, path: str = "orders", **changes: Any) -> str:
        body = {
            "name": path,
            "path": path,
            "connection_id": self.connection_id,
            "allow_unauthenticated": True,
            "sql_text": "select order_id from orders where status = :status",
            "param_schema": OPTIONAL,
            "data_strategy": self.data_strategy,
            **changes,
        }
        answer = await self.admin.post(ENDPOINTS, json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def schedule(self, endpoint_id: str | None = None, **changes: Any) -> dict[str, Any]:
        endpoint_id = endpoint_id or await self.endpoint()
        body = {"endpoint_id": endpoint_id, "schedule_type": "interval", "interval_seconds": 3_600, **changes}
        answer = await self.admin.post(URL, json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def runs(self, **filters: str) -> list[dict[str, Any]]:
        answer = await self.admin.get(f"{URL}/jobs", params=filters)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found

    async def woken(self) -> bool:
        """Whether a wake-up waits; takes it away."""
        redis = self.plane.control_plane.redis
        waits = await redis.zscore(QUEUE_NAME, JOB_ID) is not None
        await redis.delete(QUEUE_NAME, f"arq:job:{JOB_ID}")
        return waits

    async def work(self, status: RunStatus = RunStatus.SUCCESS, error_detail: str | None = None) -> str:
        """Claim the run that waits and end it, as a worker would; its id."""
        async with self.claimed(status, error_detail) as run_id:
            return run_id

    @asynccontextmanager
    async def claimed(
        self, status: RunStatus = RunStatus.SUCCESS, error_detail: str | None = None
    ) -> AsyncIterator[str]:
        """The id of the run that waits, running inside the block and ended after it."""
        async with self.worker.begin() as session:
            claimed = await job_runs.claim(session, "w1", 4, 60)
        assert claimed is not None
        yield claimed.run_id
        async with self.worker.begin() as session:
            assert await job_runs.finish(session, claimed.run_id, claimed.token, status, 3, error_detail)


@asynccontextmanager
async def open_things(plane: Plane, store_urls: StoreUrls) -> AsyncIterator[Things]:
    """On an inactive connection: nothing is asked of a database on save."""
    made = await plane.admin.post("/api/v1/admin/connections", json=connection(is_active=False))
    engine = make_engine(store_urls.worker)
    yield Things(plane, make_sessions(engine), made.json()["id"])
    await engine.dispose()
