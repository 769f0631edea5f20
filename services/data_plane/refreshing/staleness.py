"""How old the served state may be: measured from the newest signed proof that it was the head.

A proof is a beacon whose head is not above the served revision, or the signed time of that revision itself. A fresh
beacon that names a newer head proves nothing for the state served before: so somebody who holds back deltas and lets
beacons through, or shows an old state to a node without memory, gains no more than `STALENESS_MAX_S`.

Wall clocks may be set back: the age also grows by the monotonic clock since the proof was taken.
"""

import time
from collections.abc import Callable

from qg_bundle.rejections import BundleRejected, Reason
from qg_core.revisions import Beacon

CLOCKS_DIFFER_MAX_S = 120.0
"""How far ahead of ours the control plane's clock may be."""


class Staleness:
    """`max_s` None: never stale (`STALENESS_MAX_S=off`). All times are Unix seconds."""

    def __init__(self, max_s: float | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._max_s = max_s
        self._monotonic = monotonic
        self._served = -1
        self._pending: Beacon | None = None
        self._proven_at = float("-inf")
        self._age_then_s = float("inf")
        self._taken_at = monotonic()
        self._stale_wall = float("-inf")
        self._stale_monotonic = float("-inf")

    def heard(self, beacon: Beacon, now: float) -> None:
        """A verified beacon. Raises `BundleRejected` when it is from the future."""
        if beacon.issued_at > now + CLOCKS_DIFFER_MAX_S:
            ahead_s = beacon.issued_at - now
            raise BundleRejected(Reason.FROM_THE_FUTURE, f"a beacon is {ahead_s:.0f} s ahead of this node's clock")
        if beacon.head <= self._served:
            self._prove(beacon.issued_at, now)
        elif self._pending is None or beacon.issued_at > self._pending.issued_at:
            self._pending = beacon

    def serves(self, revision: int, issued_at: float, now: float) -> None:
        """`revision`, which was signed at `issued_at`, is served from now on."""
        self._served = revision
        self._prove(min(issued_at, now), now)
        if self._pending is not None and self._pending.head <= revision:
            self._prove(self._pending.issued_at, now)
            self._pending = None

    def age_s(self, now: float) -> float:
        """Seconds since the served state was provably the head; infinite without any proof."""
        since_taken_s = self._monotonic() - self._taken_at
        return max(0.0, now - self._proven_at, self._age_then_s + since_taken_s)

    def is_stale(self, now: float) -> bool:
        """Whether protected endpoints must be closed. Two comparisons: called for every protected request."""
        return now >= self._stale_wall or self._monotonic() >= self._stale_monotonic

    def _prove(self, issued_at: float, now: float) -> None:
        if issued_at <= self._proven_at:
            return
        self._proven_at = issued_at
        self._age_then_s = max(0.0, now - issued_at)
        self._taken_at = self._monotonic()
        if self._max_s is None:
            self._stale_wall = self._stale_monotonic = float("inf")
        else:
            self._stale_wall = issued_at + self._max_s
            self._stale_monotonic = self._taken_at + self._max_s - self._age_then_s
