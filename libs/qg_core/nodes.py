"""How a data plane reports itself: what it serves, since when, and what it could not do."""

import enum

import msgspec


class NodeState(enum.StrEnum):
    STARTING = "starting"
    """No verified catalog yet."""
    SERVING = "serving"
    """Serves the newest revision it knows of."""
    BEHIND = "behind"
    """Knows of a newer revision and could not take it: `last_error` says why."""
    DEAF = "deaf"
    """Can't hear Redis or has no fresh beacon; serves what it has."""
    STALE = "stale"
    """No verified beacon for longer than the limit: protected endpoints are closed."""
    DRAINING = "draining"
    """Is being stopped."""


class NodeReport(msgspec.Struct, frozen=True, kw_only=True):
    """One node's report, written to Redis with a TTL. Times are Unix seconds.

    `since` is when `revision` began to be served here (before there is one: when the node started).
    """

    node: str
    version: str
    formats: tuple[int, ...]
    revision: int
    highest_seen: int
    state: NodeState
    last_error: str | None
    since: float
    reported_at: float
    beacon_issued_at: float | None
    unusable: tuple[str, ...] = ()
    """`kind:id` of at most 20 subjects of the catalog that this node can't use."""
    wanted: tuple[str, ...] = ()
    """At most 20 parts that this node could not read or that did not verify, to be put again:
    `spec:<digest>`, `delta:<revision>`, `checkpoint:<revision>`, `snapshot:<endpoint id>`."""
    seal_key_ids: tuple[str, ...] = ()
    verify_key_ids: tuple[str, ...] = ()
    """Names of the keys that this node opens secrets with and believes; empty from a release that did not say."""
    beacon: bytes = b""
    """The newest verified beacon, as it was signed: what proves `highest_seen` to a control plane that was restored."""
