"""The loop that puts right what crashes, failovers and strangers did to Redis, whichever worker has its turn."""

import msgspec
from redis.asyncio import Redis

from qg_activation.activation import Activation
from qg_activation.repair import BundleRepair
from qg_bundle.snapshots.reader import SnapshotReader
from qg_bundle.snapshots.writer import SnapshotWriter
from qg_bundle.writer import BundleWriter
from qg_core.signatures import Verifier
from qg_store.engine import SessionFactory
from qg_telemetry.events import Observe
from worker.reconcile.bundle import CONTROL_PLANE_CHANCE_S, BundleBackstop
from worker.reconcile.copies import SnapshotCopies
from worker.reconcile.pruning import Pruning
from worker.reconcile.turn import turn
from worker.supervised import Supervised

PASS_TIMEOUT_S = 55.0
"""A little less than Postgres allows a transaction to idle."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often it looks, and how long it lets a control plane be first; in seconds."""

    every_s: float = 3.0
    chance_s: float = CONTROL_PLANE_CHANCE_S


class Reconcile:
    """Start with `start()`, end with `close()`. Needs three connections of the pool of `sessions` while it mends."""

    def __init__(
        self,
        *,
        sessions: SessionFactory,
        redis: Redis,
        gateway_id: str,
        verifier: Verifier,
        snapshot_reader: SnapshotReader,
        snapshot_writer: SnapshotWriter,
        snapshots_redis_bytes_max: int,
        observe: Observe,
        pace: Pace | None = None,
    ) -> None:
        pace = pace or Pace()
        activation = Activation(sessions=sessions, writer=BundleWriter(redis), observe=observe)
        repair = BundleRepair(
            gateway_id=gateway_id,
            redis=redis,
            sessions=sessions,
            verifier=verifier,
            activation=activation,
            observe=observe,
        )
        self._sessions = sessions
        self._bundle = BundleBackstop(activation, repair, chance_s=pace.chance_s)
        self._copies = SnapshotCopies(
            sessions=sessions,
            redis=redis,
            reader=snapshot_reader,
            writer=snapshot_writer,
            redis_bytes_max=snapshots_redis_bytes_max,
            observe=observe,
        )
        self._pruning = Pruning(sessions, observe)
        self._loop = Supervised(
            "reconcile", self.run_once, every_s=pace.every_s, timeout_s=PASS_TIMEOUT_S, observe=observe
        )

    def start(self) -> None:
        """Begin, with a first pass at once."""
        self._loop.start()

    async def close(self) -> None:
        """End, in the middle of a pass if need be: whoever comes next begins again."""
        await self._loop.close()

    async def run_once(self) -> None:
        """One pass, if it is this worker's turn.

        A part that fails keeps no other one from its work; the first failure is raised in the end.
        """
        failures: list[Exception] = []
        async with turn(self._sessions) as ours:
            if not ours:
                return
            for part in (self._bundle.run, self._put_snapshots, self._pruning.run_when_due):
                try:
                    await part()
                except Exception as error:  # noqa: BLE001 - raised below
                    failures.append(error)
        if failures:
            raise failures[0]

    async def _put_snapshots(self) -> None:
        if await self._copies.run():
            self._loop.wake()
