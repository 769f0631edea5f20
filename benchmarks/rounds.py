"""Rounds in which the bare application and the gateway take turns of tens of milliseconds, on the same processor.

How fast a processor is changes by a half within tenths of a second where others have a share in it; turns as short as
these see the same of it. Each round gives one ratio; the median over the rounds is the result. A round during which
the host took the processors away is run again, as often as there are rounds.
"""

import os
import statistics
import time
from collections.abc import Callable

import msgspec

from benchmarks import snapshots
from benchmarks.clocks import stolen_seconds
from benchmarks.load import LoadOrder, LoadReport, Target
from benchmarks.processes import LoadProcess
from benchmarks.queries import POINT_PATH, ROWS_PATH
from benchmarks.servers import API_KEY, BEARER, PUBLIC, Bench

ORDER_IDS = (17, 170, 1_700, 711)

STOLEN_SHARE_MAX = 0.03
"""Of the machine's CPU time during a round, for the round to count."""

TURNS = 20
"""Of each side in a round, unless a turn would be less than one request for each connection."""


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison: what is asked of the bare application and of the gateway, and how often in a round.

    With `against_unrecorded` both sides are gateways, and the other one keeps no access log.
    """

    name: str
    target: float
    requests: int
    connections: int
    bare_paths: list[str]
    paths: list[str]
    headers: list[str]
    against_unrecorded: bool = False


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Medians over all rounds. Ratios: bare (or unrecorded) / gateway for CPU, the reverse for requests per second.

    `stolen_share` is the largest share of the CPU time that the host took during a round that counts.
    """

    name: str
    target: float
    bare_cpu_us: float
    cpu_us: float
    cpu_ratio: float
    cpu_ratios: list[float]
    rounds_repeated: int
    stolen_share: float
    bare_requests_per_s: float
    requests_per_s: float
    rate_ratio: float
    median_ms: float


def workloads(bench: Bench, scale: float) -> list[Workload]:
    """What is compared; `scale` multiplies the numbers of requests."""
    point_query = [f"?order_id={order_id}" for order_id in ORDER_IDS]
    found = []
    for kind in (PUBLIC, API_KEY, BEARER):
        found.append(
            Workload(
                name=f"point query, {kind}",
                target=0.75,
                requests=max(200, int(2_000 * scale)),
                connections=8,
                bare_paths=[f"/point{query}" for query in point_query],
                paths=[f"/api/v1/data/{POINT_PATH}/{kind}{query}" for query in point_query],
                headers=bench.headers[kind],
            )
        )
        found.append(
            Workload(
                name=f"10,000 rows, {kind}",
                target=0.80,
                requests=max(16, int(16 * scale)),
                connections=4,
                bare_paths=["/rows"],
                paths=[f"/api/v1/data/{ROWS_PATH}/{kind}"],
                headers=bench.headers[kind],
            )
        )
    for kind in (PUBLIC, API_KEY):
        paths = [f"/api/v1/data/{POINT_PATH}/{kind}{query}" for query in point_query]
        found.append(
            Workload(
                name=f"access log, {kind}",
                target=0.95,
                # Two seconds a round, one after another: what is gathered is written and sent up to 0.7 s later.
                requests=max(200, int(4_000 * scale)),
                connections=8,
                bare_paths=paths,
                paths=paths,
                headers=bench.headers[kind],
                against_unrecorded=True,
            )
        )
    found += [
        Workload(
            name=f"snapshot of {name}, {encoding}",
            target=snapshots.TARGETS[name],
            requests=max(200, int(4_000 * scale / (1 if snapshots.ROW_COUNTS[name] == 1 else 10))),
            connections=8,
            bare_paths=[snapshots.static_path(name, encoding)],
            paths=[f"/api/v1/data/{path}"],
            headers=[f"Accept-Encoding: {encoding}"],
        )
        for name, path in snapshots.PATHS.items()
        for encoding in snapshots.ENCODINGS
    ]
    return sorted(found, key=lambda workload: workload.target)


def compare(
    bench: Bench, load: LoadProcess, workload: Workload, rounds: int, tell: Callable[[str], None]
) -> Comparison:
    """Run the rounds of one workload, after one that does not count."""
    against, gateway = (
        (bench.unrecorded, bench.recorded) if workload.against_unrecorded else (bench.bare, bench.gateway)
    )
    turn = max(workload.connections, workload.requests // TURNS)
    order = LoadOrder(
        targets=[
            Target(port=against.port, pid=against.pid, paths=workload.bare_paths, headers=workload.headers),
            Target(port=gateway.port, pid=gateway.pid, paths=workload.paths, headers=workload.headers),
        ],
        connections=workload.connections,
        requests=workload.requests,
        turn=turn,
        warm_up=turn,
    )
    _cpu_us(order, load.run(order))
    bare: list[LoadReport] = []
    ours: list[LoadReport] = []
    bare_cpu_us: list[float] = []
    cpu_us: list[float] = []
    shares: list[float] = []
    repeated = 0
    while len(ours) < rounds:
        stolen_s, started = stolen_seconds(), time.monotonic()
        reports = load.run(order)
        share = (stolen_seconds() - stolen_s) / (time.monotonic() - started) / (os.cpu_count() or 1)
        if share > STOLEN_SHARE_MAX and repeated < rounds:
            repeated += 1
            tell(f"{workload.name}: the host took {share:.0%} of the CPU, once more")
            continue
        shares.append(share)
        bare.append(reports[0])
        ours.append(reports[1])
        for found, values in zip(_cpu_us(order, reports), (bare_cpu_us, cpu_us), strict=True):
            values.append(found)
        tell(f"{workload.name}: round {len(ours)} of {rounds}, CPU ratio {bare_cpu_us[-1] / cpu_us[-1]:.3f}")
    ratios = [a / b for a, b in zip(bare_cpu_us, cpu_us, strict=True)]
    bare_rate = statistics.median(report.requests_per_s for report in bare)
    rate = statistics.median(report.requests_per_s for report in ours)
    return Comparison(
        name=workload.name,
        target=workload.target,
        bare_cpu_us=round(statistics.median(bare_cpu_us), 1),
        cpu_us=round(statistics.median(cpu_us), 1),
        cpu_ratio=round(statistics.median(ratios), 3),
        cpu_ratios=[round(ratio, 3) for ratio in ratios],
        rounds_repeated=repeated,
        stolen_share=round(max(shares), 3),
        bare_requests_per_s=bare_rate,
        requests_per_s=rate,
        rate_ratio=round(rate / bare_rate, 3),
        median_ms=statistics.median(report.median_ms for report in ours),
    )


def _cpu_us(order: LoadOrder, reports: list[LoadReport]) -> list[float]:
    """CPU time per request of each target. Raises `RuntimeError` unless everything was answered with 200."""
    found = []
    for target, report in zip(order.targets, reports, strict=True):
        if report.statuses != {"200": order.requests} or report.cpu_us is None:
            raise RuntimeError(f"{target.paths[0]} answered {report.statuses}")
        found.append(report.cpu_us)
    return found
