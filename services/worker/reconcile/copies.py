"""Copies of snapshots in Redis: what is lost, altered or wanted there is put again from Postgres, piece by piece.

Redis is read before Postgres: a number that stands in Redis was committed before, so one that Postgres does not know
was made up (or Postgres was restored).
"""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession

from qg_bundle.node_reports import read_reports
from qg_bundle.snapshots.reader import SnapshotReader
from qg_bundle.snapshots.writer import Piece, SnapshotWriter
from qg_core.snapshots import SnapshotHeader
from qg_store.engine import SessionFactory
from qg_store.repositories import snapshots
from qg_store.repositories.snapshots import PieceMissing, SnapshotMark
from qg_telemetry.events import Observe, SnapshotsHeldBack, SnapshotsRepaired, SnapshotsUnusable
from worker.reconcile.faults import Comparison, Fault

PASS_BUDGET_S = 20.0
"""After so long the rest is left to the next pass, which follows at once."""

REMOVED_PER_PASS_MAX = 500

WANTED_AGAIN_AFTER_S = 10.0
"""A node's report stands for some seconds after what it wants was put; and a forged one buys no more than this."""

WANTED_PER_PASS_MAX = 200
IDS_SHOWN_MAX = 10

_WANTED = "snapshot:"


class SnapshotCopies:
    """Each call raises what SQLAlchemy raises or one of `link.LINK_ERRORS`."""

    def __init__(
        self,
        *,
        sessions: SessionFactory,
        redis: Redis,
        reader: SnapshotReader,
        writer: SnapshotWriter,
        redis_bytes_max: int,
        observe: Observe,
    ) -> None:
        self._sessions = sessions
        self._redis = redis
        self._reader = reader
        self._writer = writer
        self._comparison = Comparison(reader, writer)
        self._redis_bytes_max = redis_bytes_max
        self._observe = observe
        self._put_for_nodes: dict[str, float] = {}
        self._told_held: list[str] = []
        self._unusable: list[str] = []
        self._told_unusable: list[str] = []

    async def run(self) -> bool:
        """One pass; whether it left something undone for lack of time."""
        wanted = await self._wanted()
        in_redis = await self._reader.numbers()
        async with self._sessions() as session:
            newest = {mark.endpoint_id: mark for mark in await snapshots.newest_of_all(session)}
        await self._remove_gone([endpoint_id for endpoint_id in in_redis if endpoint_id not in newest])
        found = await self._comparison.find(in_redis, newest, wanted)
        self._unusable = list(found.unusable)
        is_unfinished = await self._put_all(self._that_fit(found.faults, newest), newest)
        self._tell_unusable()
        return is_unfinished

    async def _wanted(self) -> set[str]:
        """The endpoints whose snapshot nodes could not read or verify, but for those that were just put for one."""
        since = time.monotonic() - WANTED_AGAIN_AFTER_S
        self._put_for_nodes = {endpoint_id: at for endpoint_id, at in self._put_for_nodes.items() if at > since}
        names = {name for report in await read_reports(self._redis) for name in report.wanted}
        wanted = {name.removeprefix(_WANTED) for name in names if name.startswith(_WANTED)}
        return set(sorted(wanted - self._put_for_nodes.keys())[:WANTED_PER_PASS_MAX])

    async def _remove_gone(self, endpoint_ids: Sequence[str]) -> None:
        removed = [each for each in endpoint_ids[:REMOVED_PER_PASS_MAX] if await self._writer.remove(each)]
        self._repaired(Fault.ENDPOINT_GONE, removed)

    def _that_fit(self, faults: Mapping[str, Fault], newest: Mapping[str, SnapshotMark]) -> dict[str, Fault]:
        """The faults of those snapshots that fit into Redis when all newest ones are there, the oldest first."""
        total = 0
        held: list[str] = []
        for mark in sorted(newest.values(), key=lambda mark: mark.number):
            total += mark.stored_bytes
            if total > self._redis_bytes_max and mark.endpoint_id in faults:
                held.append(mark.endpoint_id)
        if held and held != self._told_held:
            self._observe(
                SnapshotsHeldBack(
                    endpoint_ids=tuple(held[:IDS_SHOWN_MAX]), total=len(held), bytes_max=self._redis_bytes_max
                )
            )
        self._told_held = held
        return {each: faults[each] for each in faults.keys() - set(held)}

    async def _put_all(self, faults: Mapping[str, Fault], newest: Mapping[str, SnapshotMark]) -> bool:
        """Put them, one after another, for `PASS_BUDGET_S`: what nodes wait for first, then the youngest.

        Whether some are left.
        """
        until = time.monotonic() + PASS_BUDGET_S
        done: dict[Fault, list[str]] = {}
        left = sorted(faults, key=lambda each: (faults[each] is Fault.WANTED_BY_NODE, newest[each].number))
        try:
            while left and time.monotonic() < until:
                endpoint_id = left.pop()
                fault = faults[endpoint_id]
                if await self._put(newest[endpoint_id], fault):
                    done.setdefault(fault, []).append(endpoint_id)
                    if fault is Fault.WANTED_BY_NODE:
                        self._put_for_nodes[endpoint_id] = time.monotonic()
        finally:
            for fault, endpoint_ids in done.items():
                self._repaired(fault, endpoint_ids)
        return bool(left)

    async def _put(self, mark: SnapshotMark, fault: Fault) -> bool:
        """Put one; false when it can't be used, was deleted meanwhile, or a newer one came."""
        header = self._comparison.opened(mark)
        if header is None:
            self._unusable.append(mark.endpoint_id)
            return False
        async with self._sessions() as session, aclosing(_pieces(session, header)) as pieces:
            try:
                if fault is Fault.FORGED:
                    await self._writer.put_again(header, mark.header, pieces)
                    return True
                return await self._writer.put(header, mark.header, pieces)
            except PieceMissing:
                return False
            except ValueError:
                # Its pieces are not those that its header names: no other copy waits for this one.
                self._unusable.append(mark.endpoint_id)
                return False

    def _tell_unusable(self) -> None:
        endpoint_ids = sorted(self._unusable)
        if endpoint_ids and endpoint_ids != self._told_unusable:
            self._observe(SnapshotsUnusable(endpoint_ids=tuple(endpoint_ids[:IDS_SHOWN_MAX]), total=len(endpoint_ids)))
        self._told_unusable = endpoint_ids

    def _repaired(self, fault: Fault, endpoint_ids: Sequence[str]) -> None:
        if endpoint_ids:
            shown = tuple(endpoint_ids[:IDS_SHOWN_MAX])
            self._observe(SnapshotsRepaired(reason=fault.value, endpoint_ids=shown, total=len(endpoint_ids)))


async def _pieces(session: AsyncSession, header: SnapshotHeader) -> AsyncGenerator[Piece, None]:
    """All pieces of a snapshot, one in memory at a time. Raises `PieceMissing` when it was deleted meanwhile."""
    for encoding, body in header.encodings.items():
        found = 0
        async for piece in snapshots.pieces(session, header.snapshot_id, encoding):
            found += 1
            yield encoding, piece.number, piece.body
        if found != body.pieces:
            raise PieceMissing(f"{encoding} of snapshot {header.snapshot_id} has {found} of {body.pieces} pieces")
