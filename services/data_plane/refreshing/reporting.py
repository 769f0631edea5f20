"""Writing this node's report to Redis: at each change, and often enough that it does not expire."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Protocol

from redis.asyncio import Redis

from data_plane.refreshing.refresh import Refresher
from data_plane.refreshing.telling import SUBJECTS_SHOWN_MAX
from qg_bundle.link import LINK_ERRORS, end_tasks
from qg_bundle.node_reports import ReportTooLarge, put_report, remove_report
from qg_core.nodes import NodeReport
from qg_core.specs import FORMATS_READ

EVERY_S = 3.0
SPACING_MIN_S = 0.1
CLOSE_WAIT_S = 1.0
ERROR_LENGTH_MAX = 500
WANTED_MAX = 20
KEYS_SHOWN_MAX = 20


class AlsoRefused(Protocol):
    """What else of this node reads from Redis and may find it missing or altered."""

    @property
    def wanted(self) -> tuple[str, ...]: ...
    @property
    def last_error(self) -> str | None: ...


class Reporting:
    """`start()` and `await close()`; failures are silent here, the refresher sees Redis' absence itself."""

    def __init__(
        self,
        redis: Redis,
        refresher: Refresher,
        *,
        node: str,
        version: str,
        seal_key_ids: tuple[str, ...] = (),
        verify_key_ids: tuple[str, ...] = (),
        also: AlsoRefused | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._redis = redis
        self._refresher = refresher
        self._node = node
        self._version = version
        self._seal_key_ids = seal_key_ids
        self._verify_key_ids = verify_key_ids
        self._also = also
        self._now = now
        self._started_at = now()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        refresher.on_change = self._changed.set

    def start(self) -> None:
        """Begin to report."""
        self._task = asyncio.create_task(self._report_for_ever())

    async def close(self) -> None:
        """Stop, and take this node off the list."""
        await end_tasks(self._task)
        with contextlib.suppress(*LINK_ERRORS):
            async with asyncio.timeout(CLOSE_WAIT_S):
                await remove_report(self._redis, self._node)

    def report(self) -> NodeReport:
        """What this node says of itself now."""
        refresher = self._refresher
        catalog = refresher.current
        unusable = catalog.unusable[:SUBJECTS_SHOWN_MAX] if catalog is not None else ()
        rejected = refresher.condition.rejected
        last_error = refresher.condition.last_error
        if last_error is None and unusable:
            last_error = f"specs_unusable: {unusable[0].reason}: {unusable[0].detail}"
        wanted = rejected.wanted if rejected is not None else ()
        if self._also is not None:
            wanted += self._also.wanted
            last_error = last_error or self._also.last_error
        beacon = refresher.beacon
        return NodeReport(
            node=self._node,
            version=self._version,
            formats=tuple(sorted(FORMATS_READ)),
            revision=refresher.revision,
            highest_seen=max(refresher.highest, refresher.newest_known),
            state=refresher.state,
            last_error=last_error[:ERROR_LENGTH_MAX] if last_error is not None else None,
            since=catalog.built_at if catalog is not None else self._started_at,
            reported_at=self._now(),
            beacon_issued_at=beacon.value.issued_at if beacon is not None else None,
            unusable=tuple(f"{item.subject.kind}:{item.subject.id}" for item in unusable),
            wanted=wanted[:WANTED_MAX],
            seal_key_ids=self._seal_key_ids[:KEYS_SHOWN_MAX],
            verify_key_ids=self._verify_key_ids[:KEYS_SHOWN_MAX],
            beacon=beacon.body if beacon is not None else b"",
        )

    async def _report_for_ever(self) -> None:
        while True:
            self._changed.clear()
            with contextlib.suppress(*LINK_ERRORS, ReportTooLarge):
                await put_report(self._redis, self.report())
            await asyncio.sleep(SPACING_MIN_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._changed.wait()
