"""Something that goes wrong for a while: told when it begins and when it is over, not each time it shows."""

import time
from collections.abc import Callable

from qg_telemetry.events import Event, Observe


class Trouble:
    """`over_event` makes the event of the end from how long it took, in seconds. From one thread at a time."""

    def __init__(self, observe: Observe, over_event: Callable[[float], Event]) -> None:
        self._observe = observe
        self._over_event = over_event
        self._since: float | None = None

    def found(self, event: Event) -> None:
        """It is so; `event` says what, and is told unless it was so before."""
        if self._since is None:
            self._since = time.monotonic()
            self._observe(event)

    def over(self) -> None:
        """It is not so, or no longer."""
        if self._since is not None:
            away_s, self._since = round(time.monotonic() - self._since, 1), None
            self._observe(self._over_event(away_s))
