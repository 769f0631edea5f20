"""What of one log was sent and is not known to be stored yet; what to send next, and when to send it again.

Numbers only, no I/O: the lines are in the log's files until they are stored.
"""

from collections import deque

import msgspec

OUTSTANDING_BYTES_MAX = 8_388_608
"""Sent and not known to be stored. It bounds what a log can fill Redis with while no worker reads."""

SEND_AGAIN_AFTER_S = 10.0
"""The watermark stood still for so long and the oldest batch is no longer in the stream: it was lost."""

SEND_AGAIN_ANYWAY_S = 600.0
"""The same while the batch still is in the stream: workers may only be slow, and a copy would not speed them up."""

SEND_AGAIN_MAX_S = 300.0
SEND_AGAIN_ANYWAY_MAX_S = 21_600.0
"""Where sending again does not help, it is tried at growing distances up to these."""


class Sent(msgspec.Struct, frozen=True):
    """One entry of the stream. `last`: once everything up to it is stored, it is settled."""

    entry_id: bytes
    last: int
    bytes: int


class Outbox:
    """All times are on one monotonic clock, in seconds."""

    def __init__(self, now: float) -> None:
        self.stored = 0
        """Everything up to here is stored or counted as lost, by the newest verified watermark."""
        self.sent = 0
        """Everything up to here was sent."""
        self.announced = 0
        """The last base that was sent."""
        self._outstanding: deque[Sent] = deque()
        self.outstanding_bytes = 0
        self._still_since = now
        self._patience_s = SEND_AGAIN_AFTER_S
        self._patience_anyway_s = SEND_AGAIN_ANYWAY_S

    @property
    def room_bytes(self) -> int:
        """What may be sent before something is stored; the last batch may go beyond it."""
        return OUTSTANDING_BYTES_MAX - self.outstanding_bytes

    @property
    def oldest(self) -> Sent | None:
        """What was sent first and is not settled."""
        return self._outstanding[0] if self._outstanding else None

    def note_sent(self, sent: Sent, base: int, now: float) -> None:
        """An entry is in the stream; it said `base`."""
        if not self._outstanding:
            self._still_since = now
        self._outstanding.append(sent)
        self.outstanding_bytes += sent.bytes
        self.sent = max(self.sent, sent.last)
        self.announced = base

    def note_stored(self, number: int, now: float) -> bool:
        """A verified watermark; whether it moved. One that is older than known is ignored."""
        if number <= self.stored:
            return False
        self.stored = number
        self.sent = max(self.sent, number)
        while self._outstanding and self._outstanding[0].last <= number:
            self.outstanding_bytes -= self._outstanding.popleft().bytes
        self._still_since = now
        self._patience_s = SEND_AGAIN_AFTER_S
        self._patience_anyway_s = SEND_AGAIN_ANYWAY_S
        return True

    def may_be_lost(self, now: float) -> bool:
        """The watermark has not moved for so long that one should look whether the oldest entry is still there."""
        return bool(self._outstanding) and now - self._still_since >= self._patience_s

    def is_overdue(self, now: float) -> bool:
        """It stood still for so long that everything is sent again, whatever is in the stream."""
        return bool(self._outstanding) and now - self._still_since >= self._patience_anyway_s

    def send_again(self, now: float) -> None:
        """Go back to what is not stored."""
        self._outstanding.clear()
        self.outstanding_bytes = 0
        self.sent = self.stored
        self.announced = 0
        self._still_since = now
        self._patience_s = min(self._patience_s * 2, SEND_AGAIN_MAX_S)
        self._patience_anyway_s = min(self._patience_anyway_s * 2, SEND_AGAIN_ANYWAY_MAX_S)
