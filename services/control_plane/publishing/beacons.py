"""Beacons: the control plane's signed word on which head is the newest, and when it knew."""

import time
from collections.abc import Callable

from qg_bundle.envelope import seal_beacon
from qg_bundle.writer import BundleWriter
from qg_core.revisions import Beacon
from qg_core.signatures import Signer
from qg_store.engine import SessionFactory
from qg_store.repositories import publishing as ledger


class Beacons:
    """Each call raises what SQLAlchemy raises or one of `link.LINK_ERRORS`."""

    def __init__(
        self,
        *,
        gateway_id: str,
        sessions: SessionFactory,
        writer: BundleWriter,
        signer: Signer,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._gateway_id = gateway_id
        self._sessions = sessions
        self._writer = writer
        self._signer = signer
        self._now = now

    async def put(self, head: int, issued_at: float) -> None:
        """Sign and put a beacon: `head` was read from Postgres at `issued_at` (Unix seconds) or later."""
        beacon = Beacon(gateway_id=self._gateway_id, head=head, issued_at=issued_at)
        await self._writer.put_beacon(seal_beacon(self._signer, beacon))

    async def beat(self) -> int:
        """One beacon; the head it named. Never from memory: only Postgres knows that nothing newer exists."""
        issued_at = self._now()
        async with self._sessions() as session:
            head = (await ledger.heads(session)).head
        if head:
            await self.put(head, issued_at)
        return head
