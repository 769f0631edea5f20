"""A worker's own life: it waits for its servers, follows the stored settings, and keeps to its slots."""

import asyncio
import os
import stat
from pathlib import Path

import pytest

from qg_core.gateway_settings import settings_spec
from qg_core.specs import SETTINGS_ID, SpecKind, digest_of, encode_spec
from qg_devstack.servers.ports import free_port
from qg_store.engine import make_engine
from tests.integration.worker.rig import WorkerRig
from tests.support.waiting import until, wait_until


async def publish_settings(gate: WorkerRig, **values: object) -> None:
    """Put a settings spec where a publish would have put it."""
    spec = settings_spec(values)
    body = encode_spec(spec)
    await gate.execute(
        "INSERT INTO specs (digest, kind, subject_id, format, body) VALUES (:digest, :kind, :id, :format, :body)"
        " ON CONFLICT DO NOTHING",
        digest=digest_of(body),
        kind=SpecKind.SETTINGS.value,
        id=SETTINGS_ID,
        format=spec.format,
        body=body,
    )
    await gate.execute(
        "INSERT INTO published (kind, subject_id, digest, revision) VALUES (:kind, :id, :digest, 1)"
        " ON CONFLICT (kind, subject_id) DO UPDATE SET digest = excluded.digest",
        digest=digest_of(body),
        kind=SpecKind.SETTINGS.value,
        id=SETTINGS_ID,
    )


async def test_stored_settings_act_at_once_and_slots_bound_the_fleet(gate: WorkerRig) -> None:
    await publish_settings(gate, max_job_concurrency=2)
    workers = [gate.worker("one"), gate.worker("other")]
    runs = [await gate.run_of("select qg_sleep(1.5) as s from dual") for _ in range(4)]
    live_most = 0

    async def all_done() -> bool:
        nonlocal live_most
        [counts] = await gate.rows(
            "SELECT count(*) FILTER (WHERE status = 'running') AS live,"
            " count(*) FILTER (WHERE status = 'success') AS done FROM job_runs"
        )
        live_most = max(live_most, counts.live)
        return bool(counts.done == len(runs))

    await until(all_done, 40)
    assert live_most == 2
    assert all(worker.lines(event="settings_applied", stored=["max_job_concurrency=2"]) for worker in workers)
    await publish_settings(gate, max_job_concurrency=3, log_level="WARNING", query_timeout_seconds=1)
    for worker in workers:
        wait_until(lambda worker=worker: worker.metric("qg_job_slots") == 3, "the slots are three")  # type: ignore[misc]  # bound now
    before = len(workers[0].lines(event="job_run_claimed")) + len(workers[1].lines(event="job_run_claimed"))
    run = await gate.until_status(await gate.run_of("select qg_sleep(5) as s from dual"), "timeout")
    assert "time limit" in run.error_detail
    after = len(workers[0].lines(event="job_run_claimed")) + len(workers[1].lines(event="job_run_claimed"))
    assert after == before
    await gate.execute("DELETE FROM published WHERE kind = 'settings'")
    for worker in workers:
        wait_until(lambda worker=worker: worker.metric("qg_job_slots") == 4, "the environment's again")  # type: ignore[misc]  # as above


@pytest.mark.fault
async def test_it_waits_for_postgres_and_ends_when_asked_meanwhile(gate: WorkerRig) -> None:
    worker = gate.worker(ready=False, DATABASE_URL=f"postgresql://nobody:pass-word@127.0.0.1:{free_port()}/none")
    worker.wait_for_line(event="loop_failed", loop="database")
    assert worker.ready_status() == 503
    assert worker.metric("qg_ready") == 0
    assert worker.process.poll() is None
    assert await asyncio.to_thread(worker.terminate) == 0
    assert "pass-word" not in worker.log_path.read_text()


async def test_another_gateways_database_is_left_alone(gate: WorkerRig) -> None:
    run_id = await gate.run_of("select 1 as one from dual")
    worker = gate.worker(ready=False, GATEWAY_ID="somebody-else")
    line = worker.wait_for_line(event="loop_failed", loop="database", error="StepFailed")
    assert "somebody-else" in str(line["detail"])
    assert worker.ready_status() == 503
    assert (await gate.run(run_id)).status == "queued"


@pytest.mark.fault
async def test_connections_that_postgres_ends_cost_no_run(gate: WorkerRig) -> None:
    worker = gate.worker()
    run_id = await gate.run_of("select qg_sleep(2) as s from dual")
    await gate.until_status(run_id, "running")
    engine = make_engine(gate.urls.superuser)
    try:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name LIKE 'querygateway-%'"
            )
    finally:
        await engine.dispose()
    run = await gate.until_status(run_id, "success")
    assert run.attempt == 1
    assert len(await gate.snapshots()) == 1
    assert worker.process.poll() is None


@pytest.mark.long
async def test_a_second_worker_on_the_same_ops_port_says_so(gate: WorkerRig) -> None:
    first = gate.worker("one")
    port = first.ops_url.rpartition(":")[2].partition("/")[0]
    second = gate.worker("other", ready=False, OPS_PORT=port)
    assert await asyncio.to_thread(second.process.wait, 30) == 1
    assert f"can't listen at 127.0.0.1:{port}" in second.log_path.read_text()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.long
async def test_what_it_keeps_on_disk_is_its_own(gate: WorkerRig) -> None:
    worker = gate.worker()
    state = gate.directory / "state-worker-1"
    assert mode_of(state) == mode_of(state / "spool") == 0o700
    assert await asyncio.to_thread(worker.terminate) == 0
    assert not list((state / "spool").iterdir())
