"""The next batches of a log: read from its files, compressed and tagged. For the disk's thread."""

import msgspec

from data_plane.access_log.log import Log
from qg_bundle.access.codec import EVENTS_MAX, RAW_BYTES_MAX, encode_batch, make_header
from qg_core.signatures import Tagger

BATCHES_MAX = 8
"""Prepared in one go and sent in one round trip: to change threads costs as much as a batch."""

ROUND_TRIP_BYTES_MAX = 524_288
"""About as much, however little it could be compressed: a round trip has 2 s."""


class Prepared(msgspec.Struct, frozen=True):
    """A stream entry that is ready to be sent."""

    fields: dict[bytes, bytes]
    base: int
    last: int

    @property
    def bytes(self) -> int:
        """What it takes in Redis, about."""
        return sum(map(len, self.fields.values()))


def next_batches(
    log: Log, tags: Tagger, node: str, *, sent: int, stored: int, announced: int, bytes_max: int
) -> list[Prepared]:
    """What follows `sent`, up to `BATCHES_MAX` and until there are `bytes_max`; at a damaged place what is before it.

    Raises `OSError` when that is nothing.
    """
    found: list[Prepared] = []
    while len(found) < BATCHES_MAX and bytes_max > 0:
        try:
            batch = _next_batch(log, tags, node, sent=sent, stored=stored, announced=announced)
        except OSError:
            if not found:
                raise
            break
        if batch is None:
            break
        found.append(batch)
        if batch.last >= log.segments.last:
            break  # the answer would be no
        sent, announced = max(sent, batch.last), batch.base
        bytes_max -= batch.bytes
    return found


def _next_batch(log: Log, tags: Tagger, node: str, *, sent: int, stored: int, announced: int) -> Prepared | None:
    """What follows `sent`; without lines when there is only a gap to tell of; null when there is nothing to say.

    A gap behind what is stored would hold up the watermark until somebody says that nothing is coming.
    """
    found = log.segments.after(max(sent, stored), lines_max=EVENTS_MAX, bytes_max=RAW_BYTES_MAX)
    base = log.base(stored)
    if found is not None:
        header = make_header(log.log_id, node, base=base, first=found.first, last=found.last, lines=found.lines)
        return Prepared(encode_batch(tags, header, found.lines), base, found.last)
    if base > stored + 1 and base != announced:
        header = make_header(log.log_id, node, base=base, first=base, last=base - 1, lines=[])
        return Prepared(encode_batch(tags, header, []), base, base - 1)
    return None
