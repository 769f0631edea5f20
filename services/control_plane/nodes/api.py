"""`/api/v1/admin/nodes`."""

from datetime import UTC, datetime

from litestar import Response, get
from msgspec import Struct

from control_plane.nodes.service import Fleet
from control_plane.roles import Role
from control_plane.routing import Routes, answer, needs
from qg_core.nodes import NodeReport, NodeState


class NodeView(Struct, frozen=True, kw_only=True):
    """`lag` is how many revisions the node is behind; `since` when it began to be in this state."""

    node: str
    revision: int
    lag: int
    state: NodeState
    last_error: str | None
    since: datetime
    reported_at: datetime
    beacon_issued_at: datetime | None
    version: str
    formats: tuple[int, ...]
    unusable: tuple[str, ...]


def node_routes(fleet: Fleet) -> Routes:
    """The fleet's convergence."""

    @get("/", opt=needs(Role.VIEWER, answer=list[NodeView]))
    async def list_nodes() -> Response[bytes]:
        """Every node that reported within the last seconds."""
        head, reports = await fleet.look()
        return answer([_node_view(report, head) for report in reports])

    return Routes("/api/v1/admin/nodes", route_handlers=[list_nodes])


def _node_view(report: NodeReport, head: int) -> NodeView:
    return NodeView(
        node=report.node,
        revision=report.revision,
        lag=max(0, head - report.revision),
        state=report.state,
        last_error=report.last_error,
        since=_moment(report.since),
        reported_at=_moment(report.reported_at),
        beacon_issued_at=_moment(report.beacon_issued_at) if report.beacon_issued_at is not None else None,
        version=report.version,
        formats=report.formats,
        unusable=report.unusable,
    )


def _moment(seconds: float) -> datetime:
    """A node's clock reading; what can't be a time (a report is whatever Redis holds) is the epoch."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
