"""Rows that tests of the store need, made as the control plane would."""

import uuid
from datetime import UTC, datetime, timedelta

from qg_core.specs import Address
from qg_store.engine import SessionFactory
from qg_store.models import Connection, Endpoint, JobRun, Schedule


async def make_schedules(app: SessionFactory, count: int, *, next_run_at: datetime | None = None) -> list[Schedule]:
    """That many endpoints, each with a schedule of every ten seconds."""
    connection = Connection(
        id=str(uuid.uuid4()),
        name=f"connection {uuid.uuid4()}",
        addresses=(Address(host="db.example.com", port=1521, protocol="tcp"),),
        service_name="demo",
        username="reader",
        sealed="x",
        pool_min=1,
        pool_max=5,
        pool_timeout_s=10,
        query_timeout_s=30,
    )
    schedules = []
    async with app() as session:
        session.add(connection)
        await session.flush()
        for _ in range(count):
            endpoint_id = str(uuid.uuid4())
            session.add(
                Endpoint(
                    id=endpoint_id,
                    name=endpoint_id,
                    path=f"e/{endpoint_id}",
                    connection_id=connection.id,
                    sql_text="select 1 from dual",
                    rows_max=1,
                    bytes_max=1024,
                    concurrency_max=1,
                    data_strategy="snapshot",
                )
            )
            schedules.append(
                Schedule(
                    id=str(uuid.uuid4()),
                    endpoint_id=endpoint_id,
                    schedule_type="interval",
                    interval_seconds=10,
                    next_run_at=next_run_at,
                )
            )
        await session.flush()
        session.add_all(schedules)
        await session.commit()
    return schedules


async def make_queued(
    app: SessionFactory, schedule: Schedule, count: int, *, reason: str = "manual", ago_s: float = 60.0
) -> list[str]:
    """That many runs of a schedule that wait; their ids, the first planned first."""
    start = datetime.now(UTC) - timedelta(seconds=ago_s)
    runs = [
        JobRun(
            id=str(uuid.uuid4()),
            schedule_id=schedule.id,
            endpoint_id=schedule.endpoint_id,
            planned_at=start + timedelta(seconds=index),
            reason=reason,
            status="queued",
        )
        for index in range(count)
    ]
    async with app() as session:
        session.add_all(runs)
        await session.commit()
    return [run.id for run in runs]
