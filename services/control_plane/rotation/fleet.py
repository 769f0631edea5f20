"""The data planes, which have to follow before an older key may go."""

import asyncio
import time

from redis.asyncio import Redis

from control_plane.rotation.steps import Count, Tell
from qg_bundle.node_reports import read_reports
from qg_store.engine import SessionFactory
from qg_store.repositories import publishing as ledger

WAIT_S = 30.0
LOOK_S = 0.5
NODES_SHOWN_MAX = 10


class ReadersMissing(Exception):
    """Data planes that could not use what a rotation publishes; nothing was changed. The message names them."""


async def check_readers(redis: Redis, *, seal_key_id: str, verify_key_id: str) -> None:
    """Every data plane that reports must know the newest keys: what it can't open, it answers 503 for.

    Raises `ReadersMissing` and one of `link.LINK_ERRORS`. Reports are the word of whoever may write to Redis: this is
    against a slip, not against a stranger.
    """
    missing: dict[str, list[str]] = {}
    for report in await read_reports(redis):
        if seal_key_id not in report.seal_key_ids:
            missing.setdefault("BUNDLE_SEAL_KEY", []).append(report.node)
        if verify_key_id not in report.verify_key_ids:
            missing.setdefault("BUNDLE_VERIFY_KEYS", []).append(report.node)
    if missing:
        named = "; ".join(f"{name}: {', '.join(nodes[:NODES_SHOWN_MAX])}" for name, nodes in missing.items())
        raise ReadersMissing(f"data planes that don't know the newest keys ({named}): give them those first, and roll")


class Followers:
    """Data planes that report: whether they serve what is activated, and can use all of it."""

    variable = "BUNDLE_SEAL_KEY and BUNDLE_SIGNING_KEY"
    what = "data planes"

    def __init__(self, sessions: SessionFactory, redis: Redis) -> None:
        self._sessions = sessions
        self._redis = redis

    async def count(self) -> Count:
        """`older`: those that serve an older revision, or something that they can't use."""
        names, behind = await self._look()
        return Count(names, len(behind))

    async def run(self, tell: Tell) -> int:
        """Wait for them, `WAIT_S` at most. Changes nothing."""
        until = time.monotonic() + WAIT_S
        told: list[str] = []
        while (behind := (await self._look())[1]) and time.monotonic() < until:
            if behind != told:
                tell(f"{self.what}: waiting for {', '.join(behind[:10])}")
                told = behind
            await asyncio.sleep(LOOK_S)
        return 0

    async def _look(self) -> tuple[int, list[str]]:
        """How many report, and the names of those that have not followed."""
        async with self._sessions() as session:
            activated = (await ledger.heads(session)).activated
        reports = await read_reports(self._redis)
        return len(reports), [report.node for report in reports if report.revision < activated or report.unusable]
