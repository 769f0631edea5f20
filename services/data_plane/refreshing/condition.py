"""The node's own view of how it does: what went wrong last, since when, and the one word for it in its report."""

import time
from collections.abc import Callable

from data_plane.refreshing.staleness import Staleness
from qg_bundle.rejections import BundleRejected
from qg_core.nodes import NodeState

BEHIND_AFTER_S = 2.0
"""A node that knows of a newer revision for longer than this is behind, not just about to take it."""

DEAF_AFTER_S = 20.0
"""Beacons come every 5 s: without a new one for longer than this, nobody can say that this node is up to date."""


class Condition:
    """Told what happens by the refresher; says `state`. `now` is Unix seconds, the rest is monotonic."""

    def __init__(self, staleness: Staleness, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._staleness = staleness
        self._monotonic = monotonic
        self._behind_since: float | None = None
        self._beacon_heard_at = monotonic()
        self.redis_lost_since: float | None = None
        self.draining = False
        self.rejected: BundleRejected | None = None
        self.link_error: str | None = None

    def beacon_heard(self) -> None:
        """A verified beacon that is newer than the one before."""
        self._beacon_heard_at = self._monotonic()

    def redis_lost(self, error: str) -> bool:
        """Redis did not answer; whether that is news."""
        news = self.redis_lost_since is None
        if news:
            self.redis_lost_since = self._monotonic()
        self.link_error = error
        return news

    def redis_found(self) -> float | None:
        """Redis answered; how long it was away in seconds, null when it was not."""
        if self.redis_lost_since is None:
            return None
        away_s = self._monotonic() - self.redis_lost_since
        self.redis_lost_since = None
        self.link_error = None
        return away_s

    def behind(self) -> None:
        """A newer revision is known and not served."""
        if self._behind_since is None:
            self._behind_since = self._monotonic()

    def up_to_date(self) -> None:
        """What is served is the newest known."""
        self._behind_since = None

    def state(self, *, serving: bool, now: float) -> NodeState:
        """The one word for it, the worst first."""
        if self.draining:
            return NodeState.DRAINING
        if not serving:
            return NodeState.STARTING
        if self._staleness.is_stale(now):
            return NodeState.STALE
        if self.redis_lost_since is not None or self._monotonic() - self._beacon_heard_at > DEAF_AFTER_S:
            return NodeState.DEAF
        behind_since = self._behind_since
        if behind_since is not None and self._monotonic() - behind_since > BEHIND_AFTER_S:
            return NodeState.BEHIND
        return NodeState.SERVING

    @property
    def last_error(self) -> str | None:
        """Why it is not all well, null when it is."""
        if self.link_error is not None:
            return f"redis_lost: {self.link_error}"
        if self.rejected is not None:
            return str(self.rejected)
        if self._monotonic() - self._beacon_heard_at > DEAF_AFTER_S:
            return "no_beacon: no new beacon has come for some time"
        return None
