"""What is wrong with the copies of snapshots in Redis, by comparison with Postgres."""

import enum
from collections.abc import Collection, Mapping, Sequence

import msgspec

from qg_bundle.rejections import BundleRejected
from qg_bundle.snapshots.reader import SnapshotReader
from qg_bundle.snapshots.writer import Expected, SnapshotWriter
from qg_core.snapshots import SnapshotHeader
from qg_store.repositories.snapshots import SnapshotMark

COMPARED_PER_PASS_MAX = 200
"""Copies whose header is compared byte for byte and whose pieces by size, in turn."""


class Fault(enum.StrEnum):
    """What is wrong with a copy."""

    LOST = "lost"
    """None is there, or an older one."""
    ALTERED = "altered"
    """Another header under the right number, or pieces that are absent or of another size."""
    FORGED = "forged"
    """A number that no snapshot in Postgres has reached."""
    WANTED_BY_NODE = "wanted_by_node"
    ENDPOINT_GONE = "endpoint_gone"


class Found(msgspec.Struct, frozen=True):
    """The outcome of one comparison: endpoint -> fault, and endpoints whose header no data plane would take."""

    faults: dict[str, Fault]
    unusable: list[str]


class Comparison:
    """Remembers from one pass to the next what was behind, and how far the comparison in full has come.

    Each call raises one of `link.LINK_ERRORS`.
    """

    def __init__(self, reader: SnapshotReader, writer: SnapshotWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._behind: dict[str, int] = {}
        """What the pass before found behind: endpoint -> the number that should be there."""
        self._compared_up_to = ""

    async def find(
        self, in_redis: Mapping[str, int], newest: Mapping[str, SnapshotMark], wanted: Collection[str]
    ) -> Found:
        """Compare; `in_redis` was read before `newest`. Both are by endpoint."""
        faults = self._by_number(in_redis, newest, wanted)
        marks = [mark for mark in self._next(newest) if mark.endpoint_id not in faults]
        headers = {mark.endpoint_id: header for mark in marks if (header := self.opened(mark)) is not None}
        faults |= dict.fromkeys(await self._altered(marks, headers), Fault.ALTERED)
        return Found(faults, [mark.endpoint_id for mark in marks if mark.endpoint_id not in headers])

    def opened(self, mark: SnapshotMark) -> SnapshotHeader | None:
        """The header as Postgres has it; null when no data plane would take it (its key is gone), or when it is
        another snapshot's, which somebody put into this one's row."""
        try:
            header = self._reader.open(mark.endpoint_id, mark.header).header
        except BundleRejected:
            return None
        return header if (header.snapshot_id, header.number) == (mark.id, mark.number) else None

    def _by_number(
        self, in_redis: Mapping[str, int], newest: Mapping[str, SnapshotMark], wanted: Collection[str]
    ) -> dict[str, Fault]:
        """What the numbers alone show, and what nodes want.

        A copy on its way is not taken for a lost one: it is lost when a second pass finds it so, or Redis is empty.
        """
        behind = {each: mark.number for each, mark in newest.items() if in_redis.get(each, 0) < mark.number}
        before, self._behind = self._behind, behind
        faults = {each: Fault.WANTED_BY_NODE for each in wanted if each in newest and each not in behind}
        faults |= {each: Fault.LOST for each, number in behind.items() if not in_redis or before.get(each) == number}
        faults |= {each: Fault.FORGED for each, mark in newest.items() if in_redis.get(each, 0) > mark.number}
        return faults

    def _next(self, newest: Mapping[str, SnapshotMark]) -> list[SnapshotMark]:
        """The next ones in the order of endpoint ids, from the first again after the last."""
        ids = sorted(endpoint_id for endpoint_id in newest if endpoint_id not in self._behind)
        left = [endpoint_id for endpoint_id in ids if endpoint_id > self._compared_up_to]
        chosen = left[:COMPARED_PER_PASS_MAX]
        self._compared_up_to = chosen[-1] if len(left) > len(chosen) else ""
        return [newest[endpoint_id] for endpoint_id in chosen]

    async def _altered(self, marks: Sequence[SnapshotMark], headers: Mapping[str, SnapshotHeader]) -> set[str]:
        usable = [mark for mark in marks if mark.endpoint_id in headers]
        expected = [Expected(headers[mark.endpoint_id], len(mark.header)) for mark in usable]
        altered = set(await self._writer.missing(expected))
        for mark in usable:
            if mark.endpoint_id not in altered and not await self._same_header(mark):
                altered.add(mark.endpoint_id)
        return altered

    async def _same_header(self, mark: SnapshotMark) -> bool:
        try:
            return (await self._reader.header(mark.endpoint_id)).body == mark.header
        except BundleRejected:
            return False
