"""Keeping what is on disk short and whole, now and then, when Redis has what that takes."""

import time

import msgspec

from data_plane.refreshing.chain import Chain
from data_plane.refreshing.memory import Memory
from qg_bundle.envelope import Sealed, signed_by
from qg_bundle.reader import BundleReader
from qg_core.revisions import Beacon, Manifest

RETRY_S = 30.0
EVERY_S = 600.0
"""How often a newer checkpoint is looked for while the chain is short."""

OTHER_KEY_S = 2.0
"""The same while the control plane signs with another key than the chain's: the older one is about to be removed."""


class Tidy:
    """Shortens a long chain of deltas; writes everything afresh after the disk had failed for long."""

    def __init__(self, reader: BundleReader, memory: Memory, chain: Chain) -> None:
        self._reader = reader
        self._memory = memory
        self._chain = chain
        self._tried_at = time.monotonic() - EVERY_S + RETRY_S

    async def run(self, served: Manifest, beacon: Sealed[Beacon] | None) -> None:
        """Do what is due. Raises `BundleRejected` and one of `link.LINK_ERRORS`."""
        everything = self._memory.needs_everything
        pause_s = RETRY_S if everything or self._chain.too_long else EVERY_S
        if beacon is not None and signed_by(beacon.body) != self._chain.signed_by:
            pause_s = OTHER_KEY_S
        if time.monotonic() - self._tried_at < pause_s:
            return
        self._tried_at = time.monotonic()
        newest = await self._reader.newest_checkpoint_revision()
        if newest is None or newest > served.revision or (newest == self._chain.base and not everything):
            return
        update = self._chain.shorten(await self._reader.checkpoint(newest), served)
        if update is None:
            return
        if everything:
            read = await self._reader.specs(list(dict.fromkeys(served.digests.values())))
            update = msgspec.structs.replace(update, specs=read.bodies)
        await self._memory.remember(update)
