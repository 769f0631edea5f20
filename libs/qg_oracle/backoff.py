"""When a pool may try to sign in again after it failed."""

import time

from qg_oracle.errors import Failure, FailureKind

BACKOFF_S_MIN = 0.25
BACKOFF_S_MAX = 5.0

REFUSED_BACKOFF_S_MIN = 1.0
REFUSED_BACKOFF_S_MAX = 60.0
"""Between sign-ins that the database refuses: ten wrong passwords in a row lock an account by default."""

FORGIVEN_WITHIN_S = 0.02
"""Connections cut while they were being made don't count that long after the first of them."""


class Backoff:
    """Doubles from failure to failure, forgets on success. `failure` is the last one, None after a success."""

    def __init__(self) -> None:
        self.failure: Failure | None = None
        self.delay_s = 0.0
        self._retry_at = 0.0
        self._forgiven_at: float | None = None

    @property
    def allows(self) -> bool:
        """Whether it is time to try (again)."""
        return time.monotonic() >= self._retry_at

    def succeeded(self) -> None:
        self.failure, self.delay_s, self._retry_at, self._forgiven_at = None, 0.0, 0.0, None

    def failed(self, failure: Failure) -> None:
        """Note a failed attempt; attempts that ran side by side and failed together count once."""
        self.failure = failure
        if not self.allows:
            return
        if failure.kind is FailureKind.LOST:
            # What cut all connections cut those that were being made as well: once more, now.
            self._forgiven_at = self._forgiven_at or time.monotonic()
            if time.monotonic() - self._forgiven_at <= FORGIVEN_WITHIN_S:
                return
        refused = failure.kind is FailureKind.REFUSED
        floor = REFUSED_BACKOFF_S_MIN if refused else BACKOFF_S_MIN
        ceiling = REFUSED_BACKOFF_S_MAX if refused else BACKOFF_S_MAX
        self.delay_s = min(ceiling, max(floor, self.delay_s * 2))
        self._retry_at = time.monotonic() + self.delay_s
