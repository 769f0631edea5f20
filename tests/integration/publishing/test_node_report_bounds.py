"""What somebody else writes among the node reports costs a control plane no more than its limits."""

from qg_bundle import keys
from qg_bundle.link import open_link
from qg_bundle.node_reports import put_report, read_reports
from qg_core.nodes import NodeReport, NodeState

HUGE_BYTES = 20_000_000


async def test_a_huge_name_is_not_even_fetched(redis_url: str) -> None:
    report = NodeReport(
        node="n-1", version="1", formats=(1,), revision=1, highest_seen=1, state=NodeState.SERVING, last_error=None,
        since=1.0, reported_at=1.0, beacon_issued_at=None,
    )  # fmt: skip
    redis = open_link(redis_url)
    try:
        await put_report(redis, report)
        names: dict[str, float] = {"x" * HUGE_BYTES: 2.0, "not a name": 3.0}
        await redis.zadd(keys.NODES, names)
        before = (await redis.info("stats"))["total_net_output_bytes"]
        assert await read_reports(redis) == [report]
        assert (await redis.info("stats"))["total_net_output_bytes"] - before < HUGE_BYTES // 10
    finally:
        await redis.aclose()
