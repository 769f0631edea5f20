"""The data planes, which have to know the newest keys before anything is brought under them, and to follow afterwards.

What they report is the word of whoever may write to Redis: this is against a slip, not against a stranger.
"""

import asyncio
import time

import msgspec
from redis.asyncio import Redis

from control_plane.rotation.steps import Count, Tell
from qg_bundle.node_reports import read_reports
from qg_core.nodes import NodeReport
from qg_store.engine import SessionFactory
from qg_store.repositories import publishing as ledger

WAIT_S = 30.0
LOOK_S = 0.5
NODES_SHOWN_MAX = 10


class ReadersMissing(Exception):
    """Data planes that could not use what a rotation publishes; nothing was changed. The message names them."""


class NewestKeys(msgspec.Struct, frozen=True):
    """The names of the newest keys (`qg_security.tags.seal_key_ids`, `Ed25519Signer.key_id`)."""

    seal_key_id: str
    verify_key_id: str

    def missing(self, report: NodeReport) -> list[str]:
        """The settings of a data plane that lack their newest key."""
        found = [] if self.seal_key_id in report.seal_key_ids else ["BUNDLE_SEAL_KEY"]
        return found if self.verify_key_id in report.verify_key_ids else [*found, "BUNDLE_VERIFY_KEYS"]


async def check_readers(redis: Redis, newest: NewestKeys) -> None:
    """Every data plane that reports must know the newest keys: what it can't open, it answers 503 for.

    Raises `ReadersMissing` and one of `link.LINK_ERRORS`.
    """
    lacking: dict[str, list[str]] = {}
    for report in await read_reports(redis):
        for variable in newest.missing(report):
            lacking.setdefault(variable, []).append(report.node)
    if lacking:
        named = "; ".join(f"{variable}: {', '.join(nodes[:NODES_SHOWN_MAX])}" for variable, nodes in lacking.items())
        raise ReadersMissing(f"data planes that don't know the newest keys ({named}): give them those first, and roll")


class Followers:
    """Data planes that report: whether they serve what is activated, and know the newest keys."""

    variable = "BUNDLE_SEAL_KEY and BUNDLE_SIGNING_KEY"
    what = "data planes"

    def __init__(self, sessions: SessionFactory, redis: Redis, newest: NewestKeys) -> None:
        self._sessions = sessions
        self._redis = redis
        self._newest = newest

    async def count(self) -> Count:
        """`older`: those that serve an older revision, not only for a moment, or lack the newest keys."""
        total, behind = await self._look()
        if behind:
            await asyncio.sleep(LOOK_S)
            total, still = await self._look()
            behind = [node for node in still if node in behind]
        return Count(total, len(behind))

    async def run(self, tell: Tell) -> int:
        """Wait for them, `WAIT_S` at most. Changes nothing."""
        until = time.monotonic() + WAIT_S
        told: list[str] = []
        while (behind := (await self._look())[1]) and time.monotonic() < until:
            if behind != told:
                tell(f"{self.what}: waiting for {', '.join(behind[:NODES_SHOWN_MAX])}")
                told = behind
            await asyncio.sleep(LOOK_S)
        return 0

    async def _look(self) -> tuple[int, list[str]]:
        """How many report, and the names of those that have not followed."""
        async with self._sessions() as session:
            activated = (await ledger.heads(session)).activated
        reports = await read_reports(self._redis)
        return len(reports), [
            report.node for report in reports if report.revision < activated or self._newest.missing(report)
        ]
