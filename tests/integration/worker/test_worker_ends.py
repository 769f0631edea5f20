"""How runs end that don't succeed: what is tried again, what is not, and what admins read."""

import asyncio

import pytest

from qg_devstack.servers.ports import free_port
from qg_store.models import Connection, Endpoint
from tests.integration.worker.rig import WorkerRig

SLOW = "select qg_sleep(20) as s from dual"
MANY = "select level as n, 'some text that takes room ' || level as label from dual connect by level <= 5000"


def assert_for_admins(gate: WorkerRig, detail: str) -> None:
    """An error's text names neither where nor as whom, and no statement."""
    assert detail
    for word in (gate.standin.password, gate.standin.user, gate.standin.host, str(gate.standin.port), "select"):
        assert word not in detail


async def test_what_will_not_get_better_is_not_tried_again(gate: WorkerRig) -> None:
    wrong_password = gate.connection_to(gate.standin.host, gate.standin.port, "not-the-pass-word")
    await gate.publishing.add(wrong_password)
    runs = {
        "bad sql": await gate.run_of("select * from no_such_table"),
        "timeout": await gate.run_of(SLOW, timeout_ms=3_000),
        "too large": await gate.run_of(MANY, rows_max=10_000),
        "wrong password": await gate.run_of("select 1 as one from dual", connection=wrong_password),
        "same name": await gate.run_of("select 1 as a, 2 as a from dual"),
    }
    live = await gate.endpoint("select 1 as one from dual", data_strategy="live")
    runs["live"] = await gate.queue_run(await gate.schedule(live))
    inactive = await gate.endpoint("select 1 as one from dual")
    runs["inactive"] = await gate.queue_run(await gate.schedule(inactive))
    await gate.publishing.edit(Endpoint, inactive.id, is_active=False)
    worker = gate.worker(SNAPSHOT_BYTES_MAX="100000")
    ended = {name: await gate.until_status(run_id, "failed", "timeout") for name, run_id in runs.items()}
    assert {name: (run.status, run.attempt, run.row_count) for name, run in ended.items()} == {
        name: ("timeout" if name == "timeout" else "failed", 1, None) for name in runs
    }
    details = {name: run.error_detail for name, run in ended.items()}
    for detail in details.values():
        assert_for_admins(gate, detail)
        assert "not-the-pass-word" not in detail
    assert "ORA-00942" in details["bad sql"]
    assert "time limit" in details["timeout"]
    assert "SNAPSHOT_BYTES_MAX (100000 bytes)" in details["too large"]
    assert "ORA-01017" in details["wrong password"]
    assert "same name" in details["same name"]
    assert "live" in details["live"]
    assert "inactive" in details["inactive"]
    assert await gate.snapshots() == []
    line = worker.wait_for_line(event="job_run_failed", run_id=runs["bad sql"])
    assert (line["status"], line["success"], line["row_count"]) == ("failed", False, None)
    assert "not-the-pass-word" not in worker.log_path.read_text()
    # A failed run leaves nothing on disk and holds no slot.
    assert not list((gate.directory / "state-worker-1" / "spool").glob("*/*-*"))
    assert await gate.rows("SELECT slot FROM job_slots WHERE run_id IS NOT NULL") == []


async def test_a_database_that_is_away_is_asked_again_later(gate: WorkerRig) -> None:
    away = gate.connection_to("127.0.0.1", free_port())
    await gate.publishing.add(away)
    schedule = await gate.schedule(await gate.endpoint("select 1 as one from dual", away))
    run_id = await gate.queue_run(schedule)
    worker = gate.worker()
    worker.wait_for_line(event="job_run_retried", run_id=run_id, attempt=1)
    run = await gate.run(run_id)
    wait_s = (run.available_at - await gate.now()).total_seconds()
    assert (run.status, run.attempt, run.slot) == ("queued", 1, None)
    assert 2 < wait_s <= 5
    assert_for_admins(gate, run.error_detail)
    # It is back (elsewhere) for the second attempt.
    await gate.publishing.edit(
        Connection, away.id, addresses=gate.connection_to(gate.standin.host, gate.standin.port).addresses
    )
    run = await gate.until_status(run_id, "success")
    assert (run.attempt, run.error_detail, run.row_count) == (2, None, 1)


async def test_the_last_attempt_is_the_last(gate: WorkerRig) -> None:
    away = gate.connection_to("127.0.0.1", free_port())
    await gate.publishing.add(away)
    run_id = await gate.queue_run(await gate.schedule(await gate.endpoint("select 1 as one from dual", away)))
    await gate.execute("UPDATE job_runs SET attempt = 2")
    gate.worker()
    run = await gate.until_status(run_id, "failed")
    assert run.attempt == 3
    assert "after 3 attempts" in run.error_detail


async def test_copies_that_would_starve_redis_are_refused_and_old_snapshots_go(gate: WorkerRig) -> None:
    gate.worker(SNAPSHOTS_REDIS_BYTES_MAX="20000", SNAPSHOT_RETENTION_COUNT="2")
    small = await gate.schedule(await gate.endpoint("select 1 as one from dual"))
    for _ in range(3):
        await gate.until_status(await gate.queue_run(small), "success")
    assert len(await gate.snapshots()) == 2
    run = await gate.until_status(await gate.run_of(MANY, rows_max=10_000), "failed")
    assert "SNAPSHOTS_REDIS_BYTES_MAX (20000)" in run.error_detail
    assert len(await gate.snapshots()) == 2


@pytest.mark.fault
async def test_a_full_disk_fails_the_run_and_nothing_else(gate: WorkerRig) -> None:
    worker = gate.worker()
    spool = gate.directory / "state-worker-1" / "spool"
    [own] = [directory for directory in spool.iterdir() if directory.is_dir()]
    # A file where the run's directory should be: the same as no room for it, for a process that may write anywhere.
    (own / "lock").unlink()
    own.rmdir()
    own.write_text("in the way")
    run = await gate.until_status(await gate.run_of("select 1 as one from dual"), "failed")
    assert "STATE_DIR" in run.error_detail
    assert worker.ready_status() == 200
    await asyncio.to_thread(worker.terminate)
