"""The next batch of a log: read from its files, compressed and tagged. For the disk's thread."""

import msgspec

from data_plane.access_log.log import Log
from qg_bundle.access.codec import EVENTS_MAX, RAW_BYTES_MAX, encode_batch, make_header
from qg_core.signatures import Tagger


class Prepared(msgspec.Struct, frozen=True):
    """A stream entry that is ready to be sent."""

    fields: dict[bytes, bytes]
    base: int
    last: int

    @property
    def bytes(self) -> int:
        """What it takes in Redis, about."""
        return sum(map(len, self.fields.values()))


def next_batch(log: Log, tags: Tagger, node: str, *, sent: int, stored: int, announced: int) -> Prepared | None:
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
