"""Rounds of A B B A: the bare application, the gateway, the gateway, the bare application.

Whatever else the machine does drifts slowly compared with a round, so each round gives one ratio; the median over the
rounds is the result. A round during which the host took the processors away is run again, as often as there are rounds.
"""

import os
import statistics
import time
from collections.abc import Callable

import msgspec

from benchmarks import snapshots
from benchmarks.load import LoadOrder
from benchmarks.processes import LoadProcess, cpu_seconds, stolen_seconds
from benchmarks.queries import POINT_PATH, ROWS_PATH
from benchmarks.servers import API_KEY, BEARER, PUBLIC, Bench

ORDER_IDS = (17, 170, 1_700, 711)

STOLEN_SHARE_MAX = 0.03
"""Of the machine's CPU time during a round, for the round to count."""


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison: what is asked of the bare application and of the gateway, and how often per run.

    With `against_unrecorded` the other side is no bare application but a gateway that keeps no access log.
    """

    name: str
    target: float
    requests: int
    connections: int
    bare_paths: list[str]
    paths: list[str]
    headers: list[str]
    against_unrecorded: bool = False


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One run against one server."""

    cpu_us: float
    requests_per_s: float
    median_ms: float


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
                requests=max(50, int(1_000 * scale)),
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
                requests=max(4, int(8 * scale)),
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
                # A second each: what is gathered, written and sent belongs to the sample in which it came.
                requests=max(50, int(4_000 * scale)),
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
            requests=max(50, int(2_000 * scale / (1 if snapshots.ROW_COUNTS[name] == 1 else 10))),
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
    """Run the rounds of one workload; both servers are warmed up first."""
    bare_port, bare_pid = bench.bare_port, bench.bare_pid
    if workload.against_unrecorded:
        bare_port, bare_pid = bench.unrecorded_port, bench.unrecorded_pid
    bare_order = LoadOrder(
        port=bare_port,
        paths=workload.bare_paths,
        headers=workload.headers,
        connections=workload.connections,
        requests=workload.requests,
    )
    order = msgspec.structs.replace(bare_order, port=bench.gateway_port, paths=workload.paths)
    for each in (bare_order, order):
        _sample(load, each, bare_pid)
    bare: list[Sample] = []
    ours: list[Sample] = []
    ratios: list[float] = []
    shares: list[float] = []
    repeated = 0
    while len(ratios) < rounds:
        stolen_s, started = stolen_seconds(), time.monotonic()
        a1 = _sample(load, bare_order, bare_pid)
        b1 = _sample(load, order, bench.gateway_pid)
        b2 = _sample(load, order, bench.gateway_pid)
        a2 = _sample(load, bare_order, bare_pid)
        share = (stolen_seconds() - stolen_s) / (time.monotonic() - started) / (os.cpu_count() or 1)
        if share > STOLEN_SHARE_MAX and repeated < rounds:
            repeated += 1
            tell(f"{workload.name}: the host took {share:.0%} of the CPU, once more")
            continue
        shares.append(share)
        bare += [a1, a2]
        ours += [b1, b2]
        ratios.append((a1.cpu_us + a2.cpu_us) / (b1.cpu_us + b2.cpu_us))
        tell(f"{workload.name}: round {len(ratios)} of {rounds}, CPU ratio {ratios[-1]:.3f}")
    bare_rate = statistics.median(sample.requests_per_s for sample in bare)
    rate = statistics.median(sample.requests_per_s for sample in ours)
    return Comparison(
        name=workload.name,
        target=workload.target,
        bare_cpu_us=round(statistics.median(sample.cpu_us for sample in bare), 1),
        cpu_us=round(statistics.median(sample.cpu_us for sample in ours), 1),
        cpu_ratio=round(statistics.median(ratios), 3),
        cpu_ratios=[round(ratio, 3) for ratio in ratios],
        rounds_repeated=repeated,
        stolen_share=round(max(shares), 3),
        bare_requests_per_s=bare_rate,
        requests_per_s=rate,
        rate_ratio=round(rate / bare_rate, 3),
        median_ms=statistics.median(sample.median_ms for sample in ours),
    )


def _sample(load: LoadProcess, order: LoadOrder, pid: int) -> Sample:
    before = cpu_seconds(pid)
    report = load.run(order)
    spent_s = cpu_seconds(pid) - before
    if report.statuses != {"200": order.requests}:
        raise RuntimeError(f"{order.paths[0]} answered {report.statuses}")
    return Sample(
        cpu_us=spent_s * 1_000_000 / report.requests,
        requests_per_s=report.requests_per_s,
        median_ms=report.median_ms,
    )
