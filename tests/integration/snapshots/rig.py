"""A gateway whose snapshots are made by hand, and one node's snapshots on real Redis and a real directory."""

import random
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import zstandard

from data_plane.catalogs.catalog import Catalog, CatalogBuilder
from data_plane.catalogs.route import Route
from data_plane.refreshing.memory import Memory
from data_plane.refreshing.refresh import Refresher
from data_plane.refreshing.reporting import Reporting
from data_plane.refreshing.staleness import Staleness
from data_plane.refreshing.state_file import StateFile
from data_plane.requests.answers import Answer
from data_plane.requests.asgi import Message
from data_plane.requests.disconnects import Disconnects
from data_plane.requests.request import Request
from data_plane.snapshots.files import DIRECTORY
from data_plane.snapshots.parts import Snapshots
from qg_bundle.link import open_link
from qg_bundle.snapshots.writer import SnapshotWriter
from qg_core.errors import SnapshotMissing
from qg_core.producers import producer_of
from qg_core.specs import ConnectionSpec, DataStrategy, EndpointSpec, SpecKind
from qg_devstack.hand_published import HandPublished
from qg_devstack.hand_stored import HandStored, store_by_hand
from qg_oracle.deadlines import Deadline
from qg_security.authenticators import AuthParts
from qg_security.passwords import PasswordChecker
from qg_security.sealing import Sealer
from qg_security.signing import Ed25519Verifier
from qg_security.tags import SNAPSHOT_CONTEXT, TagKeys
from qg_security.verified_cache import VerifiedCache
from qg_telemetry.events import Event
from tests.support.waiting import until

MIB = 1_048_576
RANDOM = random.Random(11)


class Gateway:
    """Endpoints `first` and `second`; `snapshot()` makes what a worker would have made."""

    def __init__(self, published: HandPublished) -> None:
        self.published = published
        self.connection = published.connection("127.0.0.1", 1, "NOWHERE", "nobody", "nothing")
        self.first = self.endpoint("first")
        self.second = self.endpoint("second")
        self.tags = TagKeys([published.seal_key], SNAPSHOT_CONTEXT)
        self.redis = open_link(published.redis_url)
        self.writer = SnapshotWriter(self.redis)

    def endpoint(self, path: str) -> str:
        """Another public one; published with the next `publish`."""
        sql = f"select '{path}' as label from dual"
        return self.published.endpoint(path, sql, self.connection, None, data_strategy=DataStrategy.SNAPSHOT)

    def producer(self, endpoint_id: str) -> str:
        endpoint = self.published.specs[SpecKind.ENDPOINT, endpoint_id]
        connection = self.published.specs[SpecKind.CONNECTION, self.connection]
        assert isinstance(endpoint, EndpointSpec)
        assert isinstance(connection, ConnectionSpec)
        return producer_of(endpoint, connection)

    def snapshot(self, endpoint_id: str, number: int, rows: bytes | None = None, **fields: object) -> HandStored:
        """`rows` are encoded rows; by default one that holds `number`."""
        options: dict[str, object] = {"producer": self.producer(endpoint_id), "row_count": 1, **fields}
        chunk = rows if rows is not None else b'{"NUMBER":%d}' % number
        return store_by_hand(
            self.tags,
            self.published.gateway_id,
            endpoint_id,
            number=number,
            chunks=[chunk],
            **options,  # type: ignore[arg-type]  # as given
        )

    async def put(self, endpoint_id: str, number: int, rows: bytes | None = None, **fields: object) -> HandStored:
        """Make one and put it."""
        stored = self.snapshot(endpoint_id, number, rows, **fields)
        assert await stored.put(self.redis)
        return stored

    async def close(self) -> None:
        await self.redis.aclose()


class SnapshotNode:
    """A data plane's catalog and snapshots, without the request path around them. Nothing follows by itself unless
    `follow`: `await look()` does."""

    def __init__(
        self,
        gateway: Gateway,
        state_dir: Path,
        *,
        disk_bytes_max: int = 64 * MIB,
        cache_bytes: int = 8 * MIB,
        in_flight_max: int = 400,
        tag_keys: tuple[str, ...] = (),
    ) -> None:
        """`tag_keys`: what tags are verified with, and made with first, if not the gateway's own key."""
        published = gateway.published
        self.gateway = gateway
        self.directory = state_dir / DIRECTORY
        self.events: list[Event] = []
        self.redis = open_link(published.redis_url)
        self.checker = PasswordChecker(threads=1)
        verify_key = published.environ("", 1, 2)["BUNDLE_VERIFY_KEYS"]
        self.refresher = Refresher(
            redis=self.redis,
            gateway_id=published.gateway_id,
            verifier=Ed25519Verifier([verify_key]),
            builder=CatalogBuilder(Sealer([published.seal_key]), AuthParts(self.checker, VerifiedCache(10))),
            memory=Memory(StateFile(state_dir, published.gateway_id), self.events.append),
            staleness=Staleness(86_400),
            observe=self.events.append,
            on_swap=self._swapped,
        )
        self.snapshots = Snapshots(
            self.redis,
            self.refresher,
            Disconnects(),
            self.events.append,
            gateway_id=published.gateway_id,
            seal_keys=tag_keys or (published.seal_key,),
            state_dir=state_dir,
            disk_bytes_max=disk_bytes_max,
            cache_bytes=cache_bytes,
            in_flight_max=in_flight_max,
        )
        self.reporting = Reporting(
            self.redis, self.refresher, node="node-1", version="test", also=self.snapshots.follower
        )

    def _swapped(self, _: Catalog) -> None:
        self.snapshots.follower.wake()

    async def boot(self, *, follow: bool = False) -> None:
        await self.refresher.boot()
        await self.snapshots.follower.boot()
        if follow:
            self.refresher.start()
            self.snapshots.follower.start()

    async def look(self) -> None:
        """What the loops would do with their next ticks."""
        await self.refresher.look()
        await self.snapshots.follower.look()

    def route(self, endpoint_id: str) -> Route:
        assert self.refresher.current is not None
        return self.refresher.current.snapshots[endpoint_id]

    async def answer(self, endpoint_id: str, method: str = "GET", **headers: str) -> Answer:
        """Raises what the pipeline would get."""
        request = Request(
            {
                "method": method,
                "raw_path": b"/",
                "query_string": b"",
                "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
                "client": ("192.0.2.1", "1"),
            }
        )
        return await self.snapshots.answers.answer(
            self.route(endpoint_id), request, _never, Deadline(time.monotonic() + 10)
        )

    async def text(self, endpoint_id: str, accept_encoding: str = "") -> bytes:
        """The decoded answer."""
        answer = await self.answer(endpoint_id, accept_encoding=accept_encoding)
        body = answer.body
        if answer.large is not None:
            pieces = []
            while piece := await answer.large.next_piece():
                pieces.append(piece)
            answer.large.close()
            body = b"".join(pieces)
        assert body is not None
        headers = dict(answer.headers)
        assert int(headers[b"content-length"]) == len(body)
        return decoded(headers.get(b"content-encoding", b"").decode(), body)

    async def rows(self, endpoint_id: str, accept_encoding: str = "") -> object:
        return msgspec.json.decode(await self.text(endpoint_id, accept_encoding))["data"]

    def saw(self, event: str, **fields: object) -> int:
        return sum(
            found.event == event and all(getattr(found, name) == value for name, value in fields.items())
            for found in self.events
        )

    def files(self) -> set[str]:
        """The kinds of the files there are."""
        return {path.name.split(".", 1)[1] for path in self.directory.iterdir()}

    def snapshot_ids(self) -> set[str]:
        """Of the snapshots that have files."""
        return {path.name.split(".")[1] for path in self.directory.iterdir()}

    async def close(self) -> None:
        await self.snapshots.follower.close()
        await self.refresher.close()
        self.checker.close()
        await self.redis.aclose()


async def looks_until(node: SnapshotNode, condition: Callable[[], bool]) -> None:
    """Let the node look until that holds."""

    async def holds() -> bool:
        await node.look()
        return condition()

    await until(holds)


async def missing(node: SnapshotNode, endpoint_id: str, encoding: str = "") -> bool:
    """Whether the endpoint's consumers are told that there is no snapshot."""
    try:
        await node.answer(endpoint_id, accept_encoding=encoding)
    except SnapshotMissing as error:
        return int(error.headers["Retry-After"]) > 0
    return False


def rows_of(number: int) -> list[dict[str, int]]:
    """The rows of a snapshot that was made without any."""
    return [{"NUMBER": number}]


def large_rows(size: int) -> bytes:
    """One encoded row that does not compress."""
    return b'{"TEXT":"%b"}' % RANDOM.randbytes(size // 2).hex().encode()


def decoded(encoding: str, body: bytes) -> bytes:
    """A body as a client would read it."""
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True).read()
    if encoding == "gzip":
        decompressor = zlib.decompressobj(31)
        plain = decompressor.decompress(body)
        assert decompressor.eof
        assert not decompressor.unused_data
        return plain
    return body


async def _never() -> Message:
    raise AssertionError("nothing is read from a data request that is answered at once")
