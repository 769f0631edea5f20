"""Node reports in Redis: written with a TTL by each node, read by control planes.

A report is the word of whoever may write to Redis: it is shown, and it may ask for parts to be put again; what it says
about revisions counts only as far as the beacon in it verifies.
"""

import msgspec
from redis.asyncio import Redis

from qg_bundle import keys
from qg_bundle.limits import NODE_REPORT_BYTES_MAX, NODES_MAX
from qg_bundle.members import newest_members
from qg_core.nodes import NodeReport

REPORT_TTL_S = 15
"""A node that has not reported for so long is no longer shown."""

FORGET_AFTER_S = 86_400

_decoder = msgspec.json.Decoder(NodeReport)
_encode = msgspec.json.Encoder().encode


class ReportTooLarge(ValueError):
    """The report is larger than anybody would read."""


async def put_report(redis: Redis, report: NodeReport) -> None:
    """Write a node's report. Raises one of `link.LINK_ERRORS`, `ReportTooLarge`; `ValueError` on a bad node name."""
    if not keys.NODE_NAME.fullmatch(report.node):
        raise ValueError(f"{report.node!r} is no node name")
    body = _encode(report)
    if len(body) > NODE_REPORT_BYTES_MAX:
        raise ReportTooLarge(f"a report of {len(body)} bytes; at most {NODE_REPORT_BYTES_MAX} are read")
    pipe = redis.pipeline(transaction=False)
    pipe.set(keys.node(report.node), body, ex=REPORT_TTL_S)
    pipe.zadd(keys.NODES, {report.node: report.reported_at})
    await pipe.execute()


async def remove_report(redis: Redis, node: str) -> None:
    """Take a stopped node off the list. Raises one of `link.LINK_ERRORS`."""
    pipe = redis.pipeline(transaction=False)
    pipe.unlink(keys.node(node))
    pipe.zrem(keys.NODES, node)
    await pipe.execute()


async def read_reports(redis: Redis) -> list[NodeReport]:
    """The reports of living nodes, by node; malformed and oversized ones are left out.

    Raises one of `link.LINK_ERRORS`.
    """
    listed = await newest_members(redis, keys.NODES, NODES_MAX, keys.NODE_NAME_LENGTH_MAX)
    known = [name for name in map(_node_name, listed.names) if name is not None]
    pipe = redis.pipeline(transaction=False)
    for name in known:
        pipe.getrange(keys.node(name), 0, NODE_REPORT_BYTES_MAX)
    reports = (_report(name, body) for name, body in zip(known, await pipe.execute(raise_on_error=False), strict=True))
    return sorted((report for report in reports if report is not None), key=lambda report: report.node)


async def forget_old_nodes(redis: Redis, now: float) -> None:
    """Drop the names of nodes that have been silent for a day. Raises one of `link.LINK_ERRORS`."""
    await redis.zremrangebyscore(keys.NODES, "-inf", now - FORGET_AFTER_S)


def _node_name(raw: bytes) -> str | None:
    name = raw.decode("ascii", "replace")
    return name if keys.NODE_NAME.fullmatch(name) else None


def _report(name: str, body: object) -> NodeReport | None:
    if not isinstance(body, bytes) or not body or len(body) > NODE_REPORT_BYTES_MAX:
        return None
    try:
        report = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return report if report.node == name else None
