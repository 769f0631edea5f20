"""One node's refresh on real Redis and a real directory, without the request path."""

from collections.abc import Sequence
from pathlib import Path

from redis.asyncio import Redis

from data_plane.catalogs.catalog import Catalog, CatalogBuilder
from data_plane.refreshing.memory import Memory
from data_plane.refreshing.refresh import Refresher
from data_plane.refreshing.reporting import Reporting
from data_plane.refreshing.staleness import Staleness
from data_plane.refreshing.state_file import StateFile
from qg_bundle.link import open_link
from qg_security.authenticators import AuthParts
from qg_security.passwords import PasswordChecker
from qg_security.sealing import Sealer
from qg_security.signing import Ed25519Verifier
from qg_security.tags import seal_key_ids
from qg_security.verified_cache import VerifiedCache
from qg_telemetry.events import Event
from tests.integration.publishing.rig import GATEWAY, Keys

DAY_S = 86_400.0


class Node:
    """A data plane's catalog and the loop that keeps it current."""

    def __init__(
        self,
        redis_url: str,
        keys: Keys,
        state_dir: Path,
        *,
        name: str = "node-1",
        gateway_id: str = GATEWAY,
        staleness_max_s: float | None = DAY_S,
        timeout_s: float = 2.0,
        also: Sequence[Keys] = (),
    ) -> None:
        """`also`: keys behind the first ones, as in a rotation."""
        self.events: list[Event] = []
        self.swapped: list[Catalog] = []
        self.redis: Redis = open_link(redis_url, timeout_s=timeout_s)
        self.checker = PasswordChecker(threads=1)
        self.refresher = Refresher(
            redis=self.redis,
            gateway_id=gateway_id,
            verifier=Ed25519Verifier([each.verify for each in (keys, *also)]),
            builder=CatalogBuilder(
                Sealer([each.seal for each in (keys, *also)]), AuthParts(self.checker, VerifiedCache(1_000))
            ),
            memory=Memory(StateFile(state_dir, gateway_id), self.events.append),
            staleness=Staleness(staleness_max_s),
            observe=self.events.append,
            on_swap=self.swapped.append,
        )
        self.reporting = Reporting(
            self.redis,
            self.refresher,
            node=name,
            version="test",
            seal_key_ids=seal_key_ids([each.seal for each in (keys, *also)]),
            verify_key_ids=Ed25519Verifier([each.verify for each in (keys, *also)]).key_ids,
        )

    async def boot(self, *, follow: bool = False) -> "Node":
        await self.refresher.boot()
        if follow:
            self.refresher.start()
            self.reporting.start()
        return self

    async def close(self) -> None:
        await self.reporting.close()
        await self.refresher.close()
        self.checker.close()
        await self.redis.aclose()

    @property
    def revision(self) -> int:
        return self.refresher.revision

    @property
    def paths(self) -> set[str]:
        catalog = self.refresher.current
        return {route.endpoint.path for route in catalog.routes.values()} if catalog is not None else set()

    def saw(self, event: str, **fields: object) -> bool:
        return any(
            found.event == event and all(getattr(found, name) == value for name, value in fields.items())
            for found in self.events
        )


async def served_afresh(keys: Keys, redis_url: str, state_dir: Path) -> int:
    """The revision that a node without memory comes to serve; `state_dir` does not exist yet."""
    node = Node(redis_url, keys, state_dir)
    try:
        await node.boot()
        return node.revision
    finally:
        await node.close()
