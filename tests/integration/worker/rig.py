"""A gateway for tests of workers: publishing by hand, rows of schedules and runs, worker processes, the stand-in."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from qg_core.specs import Address, ConnectionSecret, SpecKind, sealed_row
from qg_devstack.servers import StandinAddress
from qg_devstack.servers.ports import free_port
from qg_store.engine import make_engine
from qg_store.models import Connection, Endpoint, Schedule
from qg_store.repositories import gateway
from tests.fixtures.store import StoreUrls
from tests.integration.publishing.rig import Rig, endpoint
from tests.integration.worker.worker_process import WorkerProcess
from tests.support.waiting import until

FAR_OFF_S = 86_400


class WorkerRig:
    """Everything workers need, and what they leave behind."""

    def __init__(self, urls: StoreUrls, redis_url: str, standin: StandinAddress, directory: Path) -> None:
        self.urls = urls
        self.redis_url = redis_url
        self.standin = standin
        self.directory = directory
        self.publishing = Rig(urls.app, redis_url)
        self._engine = make_engine(urls.superuser)
        self.connection = self.connection_to(standin.host, standin.port)
        self.workers: list[WorkerProcess] = []
        self._published = False

    async def begin(self) -> None:
        """What a control plane does first."""
        async with self.publishing.sessions.begin() as session:
            await gateway.claim(session, self.publishing.gateway_id)
        await self.publishing.publishing.begin()
        await self.publishing.add(self.connection)

    async def close(self) -> None:
        for worker in self.workers:
            worker.stop()
        await self._engine.dispose()
        await self.publishing.close()

    # -- what is published -------------------------------------------------------------------------------------------

    def connection_to(self, host: str, port: int, password: str | None = None) -> Connection:
        row_id = str(uuid.uuid4())
        secret = ConnectionSecret(self.standin.password if password is None else password)
        return Connection(
            id=row_id,
            name=f"db-{row_id[:8]}",
            addresses=(Address(protocol="tcp", host=host, port=port),),
            load_balance=False,
            failover=True,
            service_name=self.standin.service_name,
            username=self.standin.user,
            sealed=self.publishing.at_rest.seal(sealed_row(SpecKind.CONNECTION, row_id), secret),
            pool_min=1,
            pool_max=5,
            pool_timeout_s=2,
            query_timeout_s=30,
            is_active=True,
        )

    async def endpoint(self, sql_text: str, connection: Connection | None = None, **fields: object) -> Endpoint:
        """A published snapshot endpoint."""
        values = {"data_strategy": "snapshot", "sql_text": sql_text, **fields}
        row = endpoint(connection or self.connection, None, f"snap/{uuid.uuid4().hex[:12]}", **values)
        await self.publishing.add(row)
        return row

    async def schedule(self, of: Endpoint, **fields: object) -> Schedule:
        """A schedule that is far from due unless `fields` say otherwise."""
        row = Schedule(
            id=str(uuid.uuid4()),
            endpoint_id=of.id,
            **{"schedule_type": "interval", "interval_seconds": FAR_OFF_S, "timezone": "UTC", **fields},
        )
        async with self.publishing.sessions.begin() as session:
            session.add(row)
        return row

    async def queue_run(self, schedule: Schedule) -> str:
        """A run that can be claimed now; its id."""
        run_id = str(uuid.uuid4())
        await self.execute(
            "INSERT INTO job_runs (id, schedule_id, endpoint_id, planned_at, reason, status)"
            " VALUES (:id, :schedule_id, :endpoint_id, clock_timestamp(), 'manual', 'queued')",
            id=run_id,
            schedule_id=schedule.id,
            endpoint_id=schedule.endpoint_id,
        )
        return run_id

    async def run_of(self, sql_text: str, connection: Connection | None = None, **fields: object) -> str:
        """An endpoint, its schedule and a queued run of it."""
        return await self.queue_run(await self.schedule(await self.endpoint(sql_text, connection, **fields)))

    # -- what came of it ---------------------------------------------------------------------------------------------

    async def execute(self, statement: str, **values: object) -> None:
        """One statement, as the superuser."""
        async with self._engine.begin() as connection:
            await connection.execute(text(statement), values)

    async def rows(self, statement: str, **values: object) -> Sequence[Any]:
        async with self._engine.connect() as connection:
            return (await connection.execute(text(statement), values)).all()

    async def run(self, run_id: str) -> Any:
        """The row of one run."""
        return (await self.rows("SELECT * FROM job_runs WHERE id = cast(:id AS uuid)", id=run_id))[0]

    async def until_status(self, run_id: str, *statuses: str, timeout_s: float = 20.0) -> Any:
        """The row of a run once it has one of these states."""

        async def there() -> bool:
            return (await self.run(run_id)).status in statuses

        try:
            await until(there, timeout_s)
        except AssertionError:
            logs = "\n".join(worker.log_path.read_text()[-3000:] for worker in self.workers)
            raise AssertionError(f"{await self.run(run_id)}\n{logs}") from None
        return await self.run(run_id)

    async def snapshots(self) -> Sequence[Any]:
        return await self.rows("SELECT * FROM snapshots ORDER BY number")

    async def now(self) -> datetime:
        found: datetime = (await self.rows("SELECT clock_timestamp()"))[0][0]
        return found

    # -- workers -----------------------------------------------------------------------------------------------------

    def worker(self, name: str = "worker-1", *, ready: bool = True, **settings: str) -> WorkerProcess:
        """A started worker process."""
        state = self.directory / f"state-{name}"
        environ = {
            "APP_ENV": "test",
            "GATEWAY_ID": self.publishing.gateway_id,
            "WORKER_NAME": name,
            "DATABASE_URL": self.urls.worker,
            "REDIS_URL": self.redis_url,
            "BUNDLE_SEAL_KEY": self.publishing.keys.seal,
            "BUNDLE_VERIFY_KEYS": self.publishing.keys.verify,
            "STATE_DIR": str(state),
            "OPS_PORT": str(free_port()),
            "SHUTDOWN_GRACE_SECONDS": "10",
            **settings,
        }
        worker = WorkerProcess(environ, self.directory / f"{name}-{len(self.workers)}.log")
        self.workers.append(worker)
        if ready:
            worker.wait_until_ready()
        return worker
