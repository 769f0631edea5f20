"""`make bench`: the data plane against a bare application, on the same stand-in. See docs/benchmarks.md.

Writes `.dev/bench/result.json` and `.dev/bench/result.txt`; exits with 1 when a target is missed.
"""

import argparse
import os
import platform
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.processes import REPOSITORY, LoadProcess
from benchmarks.rounds import Comparison, compare, workloads
from benchmarks.servers import started
from benchmarks.streaming import Streaming, stream_a_million

OUTPUT = REPOSITORY / ".dev" / "bench"
MIB = 1024 * 1024


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured, and where."""

    at: str
    machine: str
    cores: int
    load_average: float
    python: str
    rounds: int
    comparisons: list[Comparison]
    streaming: Streaming

    @property
    def missed(self) -> list[str]:
        """The names of targets that were not reached."""
        found = [item.name for item in self.comparisons if item.cpu_ratio < item.target]
        if self.streaming.grown_bytes > self.streaming.target_bytes:
            found.append("memory while streaming")
        return found


def table_of(result: Result) -> str:
    """The result for people."""
    titles = ("bare us", "ours us", "CPU ratio", "target", "bare 1/s", "ours 1/s", "taken")
    lines = [f"{'workload':<34}" + "".join(f"{title:>11}" for title in titles)]
    lines += [
        f"{item.name:<34}{item.bare_cpu_us:>11.1f}{item.cpu_us:>11.1f}{item.cpu_ratio:>11.3f}{item.target:>11.2f}"
        f"{item.bare_requests_per_s:>11.1f}{item.requests_per_s:>11.1f}"
        f"{item.stolen_share:>11.0%}"
        for item in result.comparisons
    ]
    streaming = result.streaming
    lines.append(
        f"{streaming.rows:,} rows ({streaming.body_bytes / MIB:.0f} MiB) in {streaming.seconds:.1f} s: "
        f"{streaming.peak_bytes / MIB:.0f} MiB at the peak, {streaming.grown_bytes / MIB:.0f} MiB above idle "
        f"(target {streaming.target_bytes / MIB:.0f})"
    )
    lines.append("missed: " + ", ".join(result.missed) if result.missed else "all targets reached")
    return "\n".join(lines)


def main() -> int:
    """Run the benchmark; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=24, help="rounds per workload (default 24)")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the requests per round (default 1)")
    parser.add_argument("--only", default="", help="only workloads whose name contains this")
    options = parser.parse_args()
    load_average = os.getloadavg()[0]
    directory = Path(tempfile.mkdtemp(prefix="qg-bench-"))
    try:
        with started(directory) as bench, LoadProcess() as load:
            comparisons = [
                compare(bench, load, workload, options.rounds, lambda line: print(line, file=sys.stderr))
                for workload in workloads(bench, options.scale)
                if options.only in workload.name
            ]
            streaming = stream_a_million(bench, load)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    result = Result(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=platform.machine(),
        cores=os.cpu_count() or 1,
        load_average=round(load_average, 2),
        python=platform.python_version(),
        rounds=options.rounds,
        comparisons=comparisons,
        streaming=streaming,
    )
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "result.json").write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2))
    (OUTPUT / "result.txt").write_text(table_of(result) + "\n", encoding="utf-8")
    print(table_of(result))
    return 1 if result.missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
