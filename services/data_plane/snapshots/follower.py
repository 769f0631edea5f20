"""The loop that keeps this node's snapshots current: what Redis has that verifies and that a route serves.

What is served is replaced only by something newer that is here whole. Redis' absence, altered bytes and a full disk
leave it as it is; the loop itself never ends and never raises.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from data_plane.catalogs.catalog import Catalog
from data_plane.catalogs.route import Route
from data_plane.snapshots.failures import DISK_FULL, FilesFailed
from data_plane.snapshots.fetching import Fetching
from data_plane.snapshots.files import SnapshotFiles
from data_plane.snapshots.recall import Recall, taken
from data_plane.snapshots.rejected import Refusals
from data_plane.snapshots.shelf import Shelf
from qg_bundle.link import LINK_ERRORS, end_tasks
from qg_bundle.rejections import BundleRejected, Reason
from qg_bundle.snapshots.codec import rejected_snapshot
from qg_bundle.snapshots.reader import SealedHeader, SnapshotReader
from qg_core.snapshots import SnapshotHeader
from qg_telemetry.events import Observe, SnapshotFilesFailed, UnforeseenError

TICK_S = 1.0
LOOK_EVERY_S = 30.0
"""How often every number is compared although the version is the same."""

BOOT_WAIT_S = 10.0
"""How long a start waits for what is on disk and in Redis; the rest comes while the node serves."""

TAKERS = 2
"""Snapshots that are fetched at once."""

WANTED_MAX = 20

CLOCKS_DIFFER_MAX_S = 3_600.0
"""How far ahead of ours a worker's clock may be. Generous: beyond it no snapshot of that worker is taken."""


class Follower:
    """`await boot()`, then `start()`; `await close()` at the end. `wake()` at each swap of the catalog."""

    def __init__(
        self,
        reader: SnapshotReader,
        files: SnapshotFiles,
        shelf: Shelf,
        observe: Observe,
        catalog: Callable[[], Catalog | None],
        on_change: Callable[[], None],
    ) -> None:
        """`on_change` is told after each change of what a report would say."""
        self._reader = reader
        self._files = files
        self._shelf = shelf
        self._observe = observe
        self._catalog = catalog
        self._on_change = on_change
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="snapshot-keep")
        self._fetching = Fetching(reader, files, self._thread)
        self._recall = Recall(reader, files, shelf, self._thread, observe)
        self._refusals = Refusals(observe)
        self._woken = asyncio.Event()
        self._opened = False
        self._open_failed = ""
        self._again = True
        """Compare with the next look, whatever the version says."""
        self._version = b""
        self._seen: Catalog | None = None
        self._looked_at = 0.0
        self._boot: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        shelf.on_lost = self._lost

    @property
    def wanted(self) -> tuple[str, ...]:
        """At most `WANTED_MAX` snapshots that are missing or don't verify, as node reports name them."""
        return self._refusals.wanted[:WANTED_MAX]

    @property
    def refused(self) -> int:
        """How many snapshots could not be taken."""
        return len(self._refusals)

    @property
    def last_error(self) -> str | None:
        """Why one of them could not be taken, null when all could."""
        return self._refusals.last_error

    async def boot(self) -> None:
        """Take what is on disk and what is newer in Redis, waiting `BOOT_WAIT_S` at most."""
        self._boot = asyncio.create_task(self.look())
        await asyncio.wait([self._boot], timeout=BOOT_WAIT_S)

    def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.create_task(self._follow())

    def wake(self) -> None:
        """Look at once: another catalog is served."""
        self._woken.set()

    async def close(self) -> None:
        """Stop following; what is served stays."""
        await end_tasks(self._boot, self._task)
        self._thread.shutdown(wait=False)
        self._shelf.close()

    async def look(self) -> None:
        """One look at the disk, the catalog and Redis, and everything that follows. Never raises."""
        try:
            if not self._opened:
                await self._open()
            catalog = self._catalog()
            if catalog is not None and self._opened:
                await self._drop_unserved(catalog)
                await self._compare(catalog)
        except LINK_ERRORS:
            # The refresher sees and tells it; what could not be read is tried with the next tick.
            self._again = True
        except Exception as error:  # noqa: BLE001 - a loop that ends would leave this node with old snapshots for good
            self._again = True
            self._observe(UnforeseenError.of("snapshots", error))

    async def _follow(self) -> None:
        if self._boot is not None:
            await asyncio.wait([self._boot])
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._woken.wait()
            self._woken.clear()
            await self.look()

    async def _open(self) -> None:
        try:
            await self._recall.run(self._serves)
            self._opened = True
        except FilesFailed as failed:
            if str(failed) != self._open_failed:
                self._open_failed = str(failed)
                self._tell_failed(failed, None)

    def _serves(self, endpoint_id: str) -> bool:
        catalog = self._catalog()
        return catalog is None or endpoint_id in catalog.snapshots

    async def _drop_unserved(self, catalog: Catalog) -> None:
        for endpoint_id in [name for name in self._shelf.entries if name not in catalog.snapshots]:
            header = self._shelf.take(endpoint_id)
            if header is not None:
                await self._remove(header)

    async def _compare(self, catalog: Catalog) -> None:
        """Look at what may have changed."""
        version = await self._reader.version()
        now = time.monotonic()
        changed = self._again or version != self._version or catalog is not self._seen
        if not changed and not self._refusals.due and now - self._looked_at < LOOK_EVERY_S:
            return
        # Before the comparison: a file may turn out to be gone while it goes on.
        self._again = False
        takeable = [endpoint_id for endpoint_id, route in catalog.snapshots.items() if route.producer is not None]
        numbers = await self._reader.numbers_of(takeable)
        if self._refusals.clear_others(numbers):
            self._on_change()
        behind = iter(
            [
                (catalog.snapshots[endpoint_id], number)
                for endpoint_id, number in numbers.items()
                if self._is_behind(catalog.snapshots[endpoint_id], number)
            ]
        )
        takers = (self._take_each(behind) for _ in range(TAKERS))
        for outcome in await asyncio.gather(*takers, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        self._version, self._seen, self._looked_at = version, catalog, now

    def _is_behind(self, route: Route, number: int) -> bool:
        endpoint_id = route.endpoint.id
        entry = self._shelf.entries.get(endpoint_id)
        if entry is not None and (entry.header.number, entry.header.producer) == (number, route.producer):
            if self._refusals.clear(endpoint_id):
                self._on_change()
            return False
        return not self._refusals.waits(endpoint_id, number)

    async def _take_each(self, behind: Iterator[tuple[Route, int]]) -> None:
        for route, number in behind:
            await self._take(route, number)

    async def _take(self, route: Route, number: int) -> None:
        """Raises one of `link.LINK_ERRORS`."""
        endpoint_id = route.endpoint.id
        started = time.perf_counter()
        try:
            sealed = await self._reader.header(endpoint_id)
            if self._is_newer(sealed.header, route, number):
                await self._make_room(sealed)
                await self._fetching.fetch(sealed)
                await self._serve(sealed.header, started)
            news = self._refusals.clear(endpoint_id)
        except (BundleRejected, FilesFailed) as error:
            news = self._refusals.add(endpoint_id, number, error)
        if news:
            self._on_change()

    def _is_newer(self, header: SnapshotHeader, route: Route, number: int) -> bool:
        """Whether to take it. Raises `BundleRejected` for one that is older than what is served, or than `number`, and
        for one from the future.

        One of another producer is passed over: it was made before the definition changed, or this node's catalog is
        about to follow.
        """
        entry = self._shelf.entries.get(header.endpoint_id)
        if header.producer != route.producer or (entry and entry.header.snapshot_id == header.snapshot_id):
            return False
        # After a restore of Postgres numbers may begin again from a lower one; the time goes on.
        if entry and header.number <= entry.header.number and header.created_at <= entry.header.created_at:
            detail = f"number {header.number} is older than {entry.header.number}, which is served"
            raise rejected_snapshot(Reason.OLDER, header.endpoint_id, detail)
        # Whoever had a key once could make one that no other is younger than: it would stay for good.
        if (ahead_s := header.created_at - time.time()) > CLOCKS_DIFFER_MAX_S:
            detail = f"number {header.number} is {ahead_s:.0f} s ahead of this node's clock"
            raise rejected_snapshot(Reason.FROM_THE_FUTURE, header.endpoint_id, detail)
        # It verifies, so somebody may have put an old one back; a node that serves none yet could not tell otherwise.
        if header.number < number:
            detail = f"number {header.number} is older than {number}, which Redis lists"
            raise rejected_snapshot(Reason.OLDER, header.endpoint_id, detail)
        return True

    async def _make_room(self, sealed: SealedHeader) -> None:
        """Give up plain texts, which can be made again, if it does not fit. Raises `FilesFailed` if that is not enough.

        Before anything is fetched: whatever is refused is tried again every few seconds.
        """
        if self._files.fits(sealed.header, len(sealed.body)):
            return
        for header in self._shelf.plain_texts():
            await self._in_thread(partial(self._files.remove_identity, header))
        if not self._files.fits(sealed.header, len(sealed.body)):
            raise FilesFailed(DISK_FULL, f"{sealed.header.stored_bytes} bytes don't fit beside what is kept")

    async def _serve(self, header: SnapshotHeader, started: float) -> None:
        before = self._shelf.put(header)
        self._observe(taken(header, "redis", started))
        if before is not None:
            await self._remove(before)

    async def _remove(self, header: SnapshotHeader) -> None:
        try:
            await self._in_thread(lambda: self._files.remove(header.endpoint_id, header.snapshot_id))
        except FilesFailed as failed:
            self._tell_failed(failed, header.endpoint_id)

    def _lost(self) -> None:
        """A file turned out to be gone or altered: fetch it again."""
        self._again = True
        self._woken.set()

    def _tell_failed(self, failed: FilesFailed, endpoint_id: str | None) -> None:
        self._observe(SnapshotFilesFailed(reason=failed.reason, detail=str(failed)[:300], endpoint_id=endpoint_id))

    async def _in_thread(self, step: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, step)
