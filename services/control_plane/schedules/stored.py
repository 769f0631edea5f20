"""Snapshots as Postgres keeps them: which there are, and the rows of one, decompressed while they are sent."""

import time
import zlib
from collections.abc import AsyncIterator, Callable

import msgspec

from control_plane.actors import Actor
from control_plane.schedules.views import snapshot_view
from qg_core.errors import NotFound, Unavailable
from qg_core.snapshots import GZIP
from qg_store.engine import SessionFactory
from qg_store.models import AuditEntry, Snapshot, SnapshotPiece
from qg_store.repositories import audit_log, endpoints, snapshots

READERS_MAX = 4
"""Snapshots that are sent at the same time: each holds one piece and what is being sent of it."""

READ_TIMEOUT_S = 300.0
"""How long one may take. A reader that stands still is not counted any longer, and gets no more after it."""

SENT_BYTES = 131_072
"""The rows leave in chunks of this size, however far a piece swells."""

_GZIP_WBITS = 31
_encode = msgspec.json.Encoder().encode


class OpenedSnapshot(msgspec.Struct, frozen=True):
    """One snapshot with its rows as JSON, `size` bytes in all; iterate `body` once."""

    size: int
    body: AsyncIterator[bytes]


class StoredSnapshots:
    def __init__(self, sessions: SessionFactory, *, now: Callable[[], float] = time.monotonic) -> None:
        self._sessions = sessions
        self._now = now
        self._deadlines: list[float] = []

    async def every(self, endpoint_id: str, limit: int) -> list[Snapshot]:
        """The newest snapshots of an endpoint, newest first. Raises `NotFound` when there is no such endpoint."""
        async with self._sessions() as session:
            if await endpoints.by_id(session, endpoint_id) is None:
                raise NotFound("There is no such endpoint.")
            return await snapshots.page(session, endpoint_id, limit)

    async def open(self, snapshot_id: str, actor: Actor) -> OpenedSnapshot:
        """A snapshot with all its rows; who reads it is audited.

        Raises `NotFound`, and `Unavailable` while as many are being read as may be.
        """
        deadline = self._take_place()
        try:
            row = await self._read(snapshot_id, actor)
        except BaseException:
            self._give_back(deadline)
            raise
        head = _encode(snapshot_view(row))[:-1] + b","
        tail = b"]}"
        # Of the stored text, `{"data":[...`, all but the brace.
        return OpenedSnapshot(len(head) + row.bytes - 1 + len(tail), self._body(row, head, tail, deadline))

    async def _read(self, snapshot_id: str, actor: Actor) -> Snapshot:
        async with self._sessions.begin() as session:
            row = await snapshots.get(session, snapshot_id)
            if row is None:
                raise NotFound("There is no such snapshot.")
            await audit_log.add(session, _read_by(actor, row))
        return row

    def _take_place(self) -> float:
        """The deadline of one more reader. Before anything is waited for, or a burst of them would pass together."""
        # A body that was never begun gives nothing back.
        self._deadlines = [deadline for deadline in self._deadlines if deadline > self._now()]
        if len(self._deadlines) >= READERS_MAX:
            raise Unavailable("Too many snapshots are being read; try again later.", retry_after_s=5)
        self._deadlines.append(self._now() + READ_TIMEOUT_S)
        return self._deadlines[-1]

    def _give_back(self, deadline: float) -> None:
        if deadline in self._deadlines:
            self._deadlines.remove(deadline)

    async def _body(self, row: Snapshot, head: bytes, tail: bytes, deadline: float) -> AsyncIterator[bytes]:
        try:
            yield head
            opening = True
            async for chunk in self._text(row):
                if self._now() > deadline:
                    raise Unavailable("Reading the snapshot took too long.")
                yield chunk[1:] if opening else chunk
                opening = False
            yield tail
        finally:
            self._give_back(deadline)

    async def _text(self, row: Snapshot) -> AsyncIterator[bytes]:
        """The stored text, never parsed. What is sent already can't be taken back: a snapshot that is deleted
        meanwhile, or not as long as it says, ends the answer before its end."""
        inflate = zlib.decompressobj(_GZIP_WBITS)
        left = row.bytes
        number = 0
        while left:
            # A session for each piece: a slow reader must not hold a transaction open.
            async with self._sessions() as session:
                stored = await session.get(SnapshotPiece, (row.id, GZIP, number))
            if stored is None:
                raise Unavailable("The snapshot was removed while it was read.")
            number += 1
            piece = stored.body
            while piece and left:
                chunk = inflate.decompress(piece, min(SENT_BYTES, left))
                piece = inflate.unconsumed_tail
                left -= len(chunk)
                if chunk:
                    yield chunk


def _read_by(actor: Actor, row: Snapshot) -> AuditEntry:
    return AuditEntry(
        actor=actor.username,
        actor_id=actor.admin_id,
        action="read",
        subject_kind="snapshot",
        subject_id=row.id,
        summary=f"read the {row.row_count} rows of a snapshot of endpoint {row.endpoint_id}",
        request_id=actor.request_id,
        remote_ip=actor.remote_ip,
    )
