"""A live query for one request: its pool, its deadline, its client, its rows."""

import time

from data_plane.catalogs.route import Route
from data_plane.catalogs.shapes import HEAD, AnswerShape
from data_plane.requests.answers import Answer, ClientGone
from data_plane.requests.asgi import Receive
from data_plane.requests.disconnects import Disconnects, Watched
from data_plane.requests.ready_body import AT_ONCE_BYTES_MAX, ReadyBody
from data_plane.requests.render import WHOLE_BYTES_MAX, tail, whole
from data_plane.requests.request import Request
from qg_core.binding import BindValue
from qg_core.errors import ConnectionUnavailable
from qg_oracle.deadlines import Deadline
from qg_oracle.execute import CallCancelled, ResultStream, execute
from qg_oracle.pools import Pools
from qg_oracle.statements import make_tags


class Live:
    """Runs live queries of this node."""

    def __init__(self, pools: Pools, disconnects: Disconnects, query_timeout_max_ms: int) -> None:
        self._pools = pools
        self._disconnects = disconnects
        self.query_timeout_max_s = query_timeout_max_ms / 1000
        """Caps the time limit of every endpoint, in seconds; follows the settings."""

    def deadline(self, route: Route, request: Request) -> Deadline:
        """When the time of a request is over: for stored answers as well."""
        timeout_s, timeout_max_s = route.timeout_s, self.query_timeout_max_s
        return Deadline(request.started + (timeout_s if timeout_s < timeout_max_s else timeout_max_s))

    async def answer(
        self, route: Route, binds: dict[str, BindValue], request: Request, user: str, receive: Receive
    ) -> Answer:
        """The answer of the endpoint's statement with these binds; `user` is the principal's tag.

        Raises `ConnectionUnavailable`, `ClientGone` and what `execute` raises.
        """
        if route.target is None:
            raise ConnectionUnavailable
        pool = self._pools.get(route.target)
        deadline = self.deadline(route, request)
        tags = make_tags(user, route.endpoint.path, request.request_id)
        watched = Watched(receive, request.started)
        self._disconnects.add(watched)
        started = time.monotonic()
        large: _LargeBody | None = None
        try:
            stream = await execute(pool, route.statement, binds, deadline, tags, watched)
            chunks = [stream.first]
            if not stream.complete:
                while stream.size < WHOLE_BYTES_MAX and (chunk := await stream.next_chunk()) is not None:
                    chunks.append(chunk)
                if stream.size >= WHOLE_BYTES_MAX:
                    fetched = b"".join((HEAD, *chunks))
                    large = _LargeBody(stream, route.shape, watched, self._disconnects, fetched, started, deadline)
                    return Answer(route.shape.headers, large=large)
            body = whole(route.shape, chunks, stream, started)
            if len(body) > AT_ONCE_BYTES_MAX:
                return Answer(route.shape.headers, large=ReadyBody(body, stream.row_count, deadline))
            return Answer(route.shape.headers, body, stream.row_count)
        except CallCancelled as cancelled:
            raise ClientGone from cancelled
        finally:
            if large is None:
                self._disconnects.remove(watched)


class _LargeBody:
    """The body of an answer too large to be held: what was fetched so far, then the rest batch by batch."""

    size: int | None = None

    def __init__(
        self,
        stream: ResultStream,
        shape: AnswerShape,
        watched: Watched,
        disconnects: Disconnects,
        fetched: bytes,
        started: float,
        deadline: Deadline,
    ) -> None:
        self._stream = stream
        self._shape = shape
        self._watched = watched
        self._disconnects = disconnects
        self._fetched = fetched
        self._started = started
        self._ended = False
        self.expires_at = deadline.expires_at

    @property
    def row_count(self) -> int:
        return self._stream.row_count

    @property
    def gone(self) -> bool:
        return self._watched.gone

    async def next_piece(self) -> bytes:
        if self._fetched:
            piece, self._fetched = self._fetched, b""
            return piece
        if self._ended:
            return b""
        try:
            chunk = await self._stream.next_chunk()
        except CallCancelled as cancelled:
            raise ClientGone from cancelled
        if chunk is None:
            self._ended = True
            return tail(self._shape, self._stream, self._started)
        return chunk

    def close(self) -> None:
        self._disconnects.remove(self._watched)
        self._stream.close()
