"""Wiring: everything that publishing needs, put together once."""

from collections.abc import Sequence

import msgspec
from redis.asyncio import Redis

from control_plane.publishing.activator import Activator, Pace
from control_plane.publishing.beacons import Beacons
from control_plane.publishing.compiler import Compiler
from control_plane.publishing.references import StatementCheck
from control_plane.publishing.renewal import Renewal
from control_plane.publishing.rollback import Rollback
from control_plane.publishing.service import DependentRuns, Publishing
from control_plane.publishing.upkeep import Upkeep
from qg_activation.activation import Activation
from qg_activation.fault_points import FaultPoints
from qg_activation.repair import BundleRepair
from qg_bundle.writer import BundleWriter
from qg_core.signatures import Signer, Verifier
from qg_security.sealing import Sealer
from qg_store.engine import SessionFactory
from qg_telemetry.events import Observe


class PublishingParts(msgspec.Struct, frozen=True):
    """`activator.start()` after the database is known to be this gateway's; `await activator.close()` at the end."""

    publishing: Publishing
    rollback: Rollback
    activator: Activator
    activation: Activation
    beacons: Beacons
    renewal: Renewal
    upkeep: Upkeep


def build_publishing(
    *,
    gateway_id: str,
    sessions: SessionFactory,
    redis: Redis,
    signer: Signer,
    verifier: Verifier,
    at_rest: Sealer,
    bundle_seal_keys: Sequence[str],
    observe: Observe,
    statement_check: StatementCheck | None = None,
    dependent_runs: DependentRuns | None = None,
    faults: FaultPoints | None = None,
    pace: Pace | None = None,
) -> PublishingParts:
    """Build all parts; nothing connects or runs yet. `redis` comes from `qg_bundle.link.open_link`.

    `verifier` must trust the signer's own key and those of the other control planes (`BUNDLE_VERIFY_KEYS`).
    """
    writer = BundleWriter(redis)
    beacons = Beacons(gateway_id=gateway_id, sessions=sessions, writer=writer, signer=signer)
    activation = Activation(sessions=sessions, writer=writer, observe=observe, on_head=beacons.put, faults=faults)
    compiler = Compiler(at_rest, Sealer(bundle_seal_keys))
    asked: list[Activator] = []
    publishing = Publishing(
        gateway_id=gateway_id,
        sessions=sessions,
        compiler=compiler,
        signer=signer,
        observe=observe,
        on_committed=lambda revision: asked[0].ask(revision),
        statement_check=statement_check,
        dependent_runs=dependent_runs,
        faults=faults,
    )
    repair = BundleRepair(
        gateway_id=gateway_id,
        redis=redis,
        sessions=sessions,
        verifier=verifier,
        activation=activation,
        observe=observe,
    )
    renewal = Renewal(sessions, publishing, compiler, signer)
    upkeep = Upkeep(
        redis=redis, sessions=sessions, repair=repair, publishing=publishing, renewal=renewal, observe=observe
    )
    activator = Activator(activation, beacons, upkeep, observe, pace)
    asked.append(activator)
    rollback = Rollback(publishing, statement_check)
    return PublishingParts(publishing, rollback, activator, activation, beacons, renewal, upkeep)
