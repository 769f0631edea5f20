"""A large snapshot: bounded memory, and a heartbeat that never misses."""

import os
import threading
import time

from qg_core.job_runs import LEASE_S
from tests.integration.worker.rig import WorkerRig

ROWS = int(os.environ.get("LARGE_ROWS", "200000"))
GROWTH_BYTES_MAX = 150 * 1024 * 1024
SQL = (
    "select level as n, 'item number ' || level as name, level / 7 as ratio, 'some text' as note"
    f" from dual connect by level <= {ROWS}"
)


class Peak:
    """The largest resident memory of a process, looked at every few milliseconds."""

    def __init__(self, read: object) -> None:
        self._read = read
        self._stop = threading.Event()
        self.bytes = 0
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.bytes = max(self.bytes, self._read())  # type: ignore[operator]  # a callable


async def test_half_a_million_rows_take_little_memory_and_no_heartbeat(gate: WorkerRig) -> None:
    worker = gate.worker()
    await gate.until_status(await gate.run_of("select 1 as one from dual"), "success")
    idle = worker.rss_bytes()
    started = time.monotonic()
    with Peak(worker.rss_bytes) as peak:
        run = await gate.until_status(
            await gate.run_of(SQL, rows_max=1_000_000, bytes_max=256 * 1024 * 1024, timeout_ms=150_000),
            "success",
            "failed",
            timeout_s=150,
        )
    assert run.status == "success", run.error_detail
    assert run.row_count == ROWS
    assert run.attempt == 1
    print(f"{time.monotonic() - started:.1f} s, {(peak.bytes - idle) / 2**20:.0f} MiB above {idle / 2**20:.0f} MiB")
    assert peak.bytes - idle < GROWTH_BYTES_MAX
    # On a busy machine a beat may be late; never so late that the lease could have run out.
    assert all(float(str(line["late_s"])) < LEASE_S for line in worker.lines(event="heartbeat_late"))
    assert not worker.lines(event="lease_lost")
