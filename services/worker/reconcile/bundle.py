"""The bundle's backstop: activates what nobody activated, and puts back what Redis lost, with the control plane gone.

A control plane does the same within a second. So whatever is found amiss is looked at a second time before anything is
done, and is left alone if it moved meanwhile.
"""

import asyncio
import time

from qg_activation.activation import Activation
from qg_activation.repair import BundleRepair, Sight

CONTROL_PLANE_CHANCE_S = 2.0
SWEEP_EVERY_S = 10.0
SWEEP_SHARE_MAX = 0.05
"""Of this worker's time: comparing 10,000 specs with Redis takes a part of a second."""


class BundleBackstop:
    """Raises what SQLAlchemy raises or one of `link.LINK_ERRORS`."""

    def __init__(
        self,
        activation: Activation,
        repair: BundleRepair,
        *,
        chance_s: float = CONTROL_PLANE_CHANCE_S,
    ) -> None:
        self._activation = activation
        self._repair = repair
        self._chance_s = chance_s
        self._sweep_at = 0.0

    async def run(self) -> None:
        """One look; a second one and the repair where something is amiss; now and then a comparison of everything."""
        sight = await self._repair.look()
        if sight.needs_signing:
            return
        if is_amiss(sight):
            await asyncio.sleep(self._chance_s)
            before, sight = sight, await self._repair.look()
            if sight.needs_signing or sight.heads.activated != before.heads.activated:
                return
        await self._repair.mend(sight)
        if sight.heads.head > sight.heads.activated:
            await self._activation.activate()
        if time.monotonic() >= self._sweep_at:
            await self._sweep()

    async def _sweep(self) -> None:
        started = time.monotonic()
        await self._repair.check_eviction()
        await self._repair.put_missing()
        ended = time.monotonic()
        self._sweep_at = ended + max(SWEEP_EVERY_S, (ended - started) / SWEEP_SHARE_MAX)


def is_amiss(sight: Sight) -> bool:
    """Whether a control plane that is well would be at work on this now."""
    forged = (sight.glance.head or 0) > sight.heads.head
    return sight.is_behind or forged or bool(sight.wanted)
