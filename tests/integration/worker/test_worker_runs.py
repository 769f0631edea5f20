"""Runs from claim to end, on a real worker process: what is stored, copied, retried, refused, and told to admins."""

import zlib

import msgspec
import zstandard

from qg_bundle.link import open_link
from qg_bundle.snapshots.reader import SnapshotReader
from qg_core.snapshots import GZIP, ZSTD
from qg_security.tags import SNAPSHOT_CONTEXT, TagKeys
from tests.integration.worker.rig import WorkerRig
from tests.support.waiting import until

ROWS = "select level as n, 'text ' || level as label from dual connect by level <= 1234"


async def body_of(gate: WorkerRig, snapshot_id: str, encoding: str) -> bytes:
    rows = await gate.rows(
        "SELECT body FROM snapshot_pieces"
        " WHERE snapshot_id = cast(:id AS uuid) AND encoding = :encoding ORDER BY number",
        id=snapshot_id,
        encoding=encoding,
    )
    return b"".join(row[0] for row in rows)


async def test_a_run_becomes_a_snapshot_in_postgres_and_in_redis(gate: WorkerRig) -> None:
    worker = gate.worker()
    run_id = await gate.run_of(ROWS, rows_max=2_000)
    run = await gate.until_status(run_id, "success")
    assert (run.row_count, run.attempt, run.error_detail, run.worker) == (1234, 1, None, "worker-1")
    [snapshot] = await gate.snapshots()
    stored = zstandard.ZstdDecompressor().decompressobj().decompress(await body_of(gate, snapshot.id, ZSTD))
    assert len(stored) == snapshot.bytes
    assert zlib.decompressobj(31).decompress(await body_of(gate, snapshot.id, GZIP)) == stored
    answer = msgspec.json.decode(stored + b"]}")
    assert len(answer["data"]) == 1234
    assert answer["data"][-1] == {"N": 1234, "LABEL": "text 1234"}
    redis = open_link(gate.redis_url)
    try:
        reader = SnapshotReader(redis, TagKeys([gate.publishing.keys.seal], SNAPSHOT_CONTEXT), "gw-test")

        async def copied() -> bool:
            return str(run.endpoint_id) in await reader.numbers()

        await until(copied)
        header = (await reader.header(str(run.endpoint_id))).header
        assert header.snapshot_id == str(snapshot.id)
        assert header.row_count == 1234
    finally:
        await redis.aclose()
    line = worker.wait_for_line(event="job_run_finished")
    assert (line["run_id"], line["row_count"], line["success"]) == (run_id, 1234, True)
    assert line["job_id"] == str(run.schedule_id)
    assert not list((gate.directory / "state-worker-1" / "spool").glob("*/*-*"))
