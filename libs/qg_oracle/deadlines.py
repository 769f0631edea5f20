"""The one deadline of a request: a point in time that pool wait, every round trip, the retry and sending share."""

import time

import msgspec


class Deadline(msgspec.Struct, frozen=True):
    """A moment on `time.monotonic()`'s clock, in seconds (the clock of asyncio and uvloop loops as well)."""

    expires_at: float

    @classmethod
    def after_ms(cls, budget_ms: int) -> "Deadline":
        """The deadline `budget_ms` milliseconds from now."""
        return cls(time.monotonic() + budget_ms / 1000)

    def left_s(self) -> float:
        """Seconds left; negative once it has passed."""
        return self.expires_at - time.monotonic()

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self.expires_at
