"""A stored result for one request: the ready-made bytes and a tail that says how old they are."""

import asyncio
import time

from data_plane.catalogs.route import Route
from data_plane.requests.answers import Answer
from data_plane.requests.asgi import Receive
from data_plane.requests.disconnects import Disconnects, Watched
from data_plane.requests.request import Request
from data_plane.requests.response_headers import Header
from data_plane.snapshots.body import FileBody, HeldBody
from data_plane.snapshots.failures import FilesFailed
from data_plane.snapshots.large_answers import LargeAnswers
from data_plane.snapshots.memory import Held, Ready
from data_plane.snapshots.negotiation import encoding_for, holds
from data_plane.snapshots.shelf import Entry, Shelf, TextReader
from qg_bundle.snapshots.encoding import Tails
from qg_core.errors import ConnectionUnavailable, QueryTimedOut, SnapshotMissing, Unavailable
from qg_core.snapshots import IDENTITY
from qg_oracle.deadlines import Deadline

RETRY_AFTER_S = 10
"""Until there is one: nobody here knows when that will be."""

AT_ONCE_BYTES_MAX = 192 * 1024
"""A stored body up to this size is given to the server in one piece, which spares it a fifth of the request's CPU.

Measured with 300 clients that read nothing of 180 KB: the server holds 110 KiB for each, and 50 KiB in pieces.
"""

ATTEMPTS = 2
"""The files of a snapshot go when a newer one has come: then that one is there."""


class StoredAnswers:
    """Answers requests from this node's shelf."""

    def __init__(self, shelf: Shelf, disconnects: Disconnects, large: LargeAnswers) -> None:
        self._shelf = shelf
        self._large = large
        self._disconnects = disconnects
        self._tails = Tails()

    async def answer(self, route: Route, request: Request, receive: Receive, deadline: Deadline) -> Answer:
        """The newest snapshot of the endpoint, or 304 when the client has it.

        Raises `SnapshotMissing` when there is none that the current definition produced, `ConnectionUnavailable` as
        for a live query, `QueryTimedOut`, and `EndpointBusy` or `NodeBusy` when too many large ones are being sent.
        """
        if route.target is None:
            raise ConnectionUnavailable
        for attempt in range(1, ATTEMPTS + 1):
            entry = self._shelf.entries.get(route.endpoint.id)
            if entry is None or entry.header.producer != route.producer:
                break
            try:
                return await self._answer(entry, route, request, receive, deadline)
            except FilesFailed as failed:
                if attempt == ATTEMPTS:
                    raise SnapshotMissing(retry_after_s=RETRY_AFTER_S) from failed
        raise SnapshotMissing(retry_after_s=RETRY_AFTER_S)

    async def _answer(
        self, entry: Entry, route: Route, request: Request, receive: Receive, deadline: Deadline
    ) -> Answer:
        fields = request.fields
        versions = fields.get(b"if-none-match")
        if versions is not None and holds(versions, etag := _etag(entry, route)):
            return Answer((*route.shape.headers, (b"etag", etag)), stored=True, status=304)
        header = entry.header
        encoding = encoding_for(fields.get(b"accept-encoding"))
        age_s = max(0, int(time.time() - header.created_at))
        held = self._shelf.memory.get((header.snapshot_id, encoding))
        if request.method == "HEAD":
            tail, stored_size = self._tail(entry, route, encoding, age_s)
            return Answer(_headers(entry, route, encoding, stored_size + len(tail)), stored=True)
        found = held or await self._found(entry, encoding, deadline)
        if isinstance(found, Held):
            ready = found.ready
            if ready is None or ready.age_s != age_s or ready.shape is not route.shape:
                tail, _ = self._tail(entry, route, encoding, age_s)
                ready = found.ready = _ready(found, entry, route, encoding, age_s, tail)
            if ready.answer is not None:
                return ready.answer
            large = HeldBody(found, ready, header.row_count, deadline, self._large.enter(header.endpoint_id))
            return Answer(ready.headers, large=large, stored=True)
        try:
            leave = self._large.enter(header.endpoint_id)
        except Unavailable:
            found.close()
            raise
        tail, stored_size = self._tail(entry, route, encoding, age_s)
        watched = Watched(receive, request.started)
        body = FileBody(found, stored_size, tail, header.row_count, deadline, watched, self._disconnects, leave)
        return Answer(_headers(entry, route, encoding, stored_size + len(tail)), large=body, stored=True)

    def _tail(self, entry: Entry, route: Route, encoding: str, age_s: int) -> tuple[bytes, int]:
        """The encoded end of the answer, and the size of what comes before it."""
        header = entry.header
        plain = route.shape.stored_tail(header, age_s)
        tail = self._tails.with_tail(encoding, plain, header.rows_bytes, header.rows_crc32)
        return tail, header.rows_bytes if encoding == IDENTITY else header.encodings[encoding].size

    async def _found(self, entry: Entry, encoding: str, deadline: Deadline) -> Held | TextReader:
        try:
            async with asyncio.timeout(deadline.left_s()):
                return await self._shelf.held(entry, encoding) or await self._shelf.stream(entry, encoding)
        except TimeoutError:
            raise QueryTimedOut("The snapshot was not read in time.") from None


def _ready(held: Held, entry: Entry, route: Route, encoding: str, age_s: int, tail: bytes) -> Ready:
    size = held.size + len(tail)
    headers = _headers(entry, route, encoding, size)
    last = held.pieces[-1] + tail
    answer = Answer(headers, last, entry.header.row_count, stored=True) if size <= AT_ONCE_BYTES_MAX else None
    return Ready(route.shape, age_s, headers, size, last, answer)


def _etag(entry: Entry, route: Route) -> bytes:
    """Weak: the age in the answer is another one each second."""
    return b'W/"%b-%b"' % (entry.etag, route.shape.etag_part)


def _headers(entry: Entry, route: Route, encoding: str, size: int) -> tuple[Header, ...]:
    own = (*route.shape.headers, (b"etag", _etag(entry, route)), (b"content-length", b"%d" % size))
    return own if encoding == IDENTITY else (*own, (b"content-encoding", encoding.encode("ascii")))
