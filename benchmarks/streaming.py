"""Memory of the data plane while 1,000,000 rows are streamed."""

import time

import msgspec

from benchmarks.load import LoadOrder, Target
from benchmarks.processes import LoadProcess, Memory
from benchmarks.queries import MILLION_PATH, MILLION_ROWS
from benchmarks.servers import Bench

TARGET_BYTES = 100 * 1024 * 1024


class Streaming(msgspec.Struct, frozen=True, kw_only=True):
    """What one answer of a million rows cost."""

    rows: int
    body_bytes: int
    seconds: float
    idle_bytes: int
    peak_bytes: int
    grown_bytes: int
    target_bytes: int = TARGET_BYTES


def stream_a_million(bench: Bench, load: LoadProcess) -> Streaming:
    """Stream once; the peak is the kernel's own (VmHWM, reset before)."""
    memory = Memory(bench.gateway.pid)
    idle = memory.now_bytes()
    memory.reset_peak()
    started = time.monotonic()
    target = Target(port=bench.gateway.port, paths=[f"/api/v1/data/{MILLION_PATH}"])
    (report,) = load.run(LoadOrder(targets=[target], connections=1, requests=1))
    if report.statuses != {"200": 1}:
        raise RuntimeError(f"streaming answered {report.statuses}")
    peak = memory.peak_bytes()
    return Streaming(
        rows=MILLION_ROWS,
        body_bytes=report.body_bytes,
        seconds=round(time.monotonic() - started, 2),
        idle_bytes=idle,
        peak_bytes=peak,
        grown_bytes=peak - idle,
    )
