"""Wiring: the steps of a rotation in their order, on the control plane's own settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from redis.asyncio import Redis

from control_plane.publishing.parts import build_publishing
from control_plane.rotation.at_rest import SecretsAtRest
from control_plane.rotation.fleet import Followers, NewestKeys, check_readers
from control_plane.rotation.rotation import Rotation
from control_plane.rotation.signed import SignedBefore, SignedHead
from control_plane.rotation.specs import PublishedSpecs, SpecsInRedis, SupersededSpecs
from control_plane.rotation.steps import Step
from control_plane.rotation.tags import AccessBatches, SnapshotsInPostgres, SnapshotsInRedis, Watermarks
from control_plane.seeding import DatabaseUnfit, GatewayMismatch
from control_plane.settings import Settings
from qg_activation.fault_points import fault_points_from
from qg_bundle.link import open_link
from qg_bundle.reader import BundleReader
from qg_bundle.snapshots.reader import SnapshotReader
from qg_bundle.snapshots.writer import SnapshotWriter
from qg_security.sealing import Sealer
from qg_security.signing import Ed25519Signer, Ed25519Verifier
from qg_security.tags import ACCESS_BATCH_CONTEXT, ACCESS_PERSISTED_CONTEXT, SNAPSHOT_CONTEXT, TagKeys, seal_key_ids
from qg_store.engine import SessionFactory, make_engine, make_sessions
from qg_store.migrations.roles import APP
from qg_store.repositories import gateway, sealed_secrets
from qg_store.schema_version import database_problem
from qg_telemetry.events import Observe

CONNECTIONS_MAX = 4


@asynccontextmanager
async def open_rotation(settings: Settings, observe: Observe) -> AsyncIterator[Rotation]:
    """A rotation on this gateway's Postgres and Redis.

    Raises `DatabaseUnfit` when Postgres is another gateway's or not fit, and what SQLAlchemy raises.
    """
    engine = make_engine(settings.database_url, pool_max=CONNECTIONS_MAX, application="querygateway-keys-rotate")
    redis = open_link(settings.redis_url)
    try:
        sessions = make_sessions(engine)
        await _check_database(sessions, settings.gateway_id)
        (seal_key_id,) = seal_key_ids(settings.bundle_seal_keys[:1])
        newest = NewestKeys(seal_key_id, Ed25519Signer(settings.bundle_signing_key).key_id)
        yield Rotation(_steps(settings, sessions, redis, newest, observe), partial(check_readers, redis, newest))
    finally:
        await redis.aclose()
        await engine.dispose()


async def _check_database(sessions: SessionFactory, gateway_id: str) -> None:
    async with sessions() as session:
        if problem := await database_problem(session, APP):
            raise DatabaseUnfit(problem)
        owner = await gateway.owner(session)
    if owner is None:
        raise DatabaseUnfit("no control plane has begun on this database yet")
    if owner != gateway_id:
        raise GatewayMismatch(f"GATEWAY_ID is {gateway_id!r}, but this database belongs to gateway {owner!r}")


def _steps(
    settings: Settings, sessions: SessionFactory, redis: Redis, newest: NewestKeys, observe: Observe
) -> list[Step]:
    gateway_id = settings.gateway_id
    signer = Ed25519Signer(settings.bundle_signing_key)
    verifier = Ed25519Verifier([*dict.fromkeys((signer.public_key, *settings.bundle_verify_keys))])
    at_rest, bundle = Sealer(settings.encryption_keys), Sealer(settings.bundle_seal_keys)
    publishing = build_publishing(
        gateway_id=gateway_id,
        sessions=sessions,
        redis=redis,
        signer=signer,
        verifier=verifier,
        at_rest=at_rest,
        bundle_seal_keys=settings.bundle_seal_keys,
        observe=observe,
        faults=fault_points_from({"QG_FAULT_POINT": settings.fault_point, "APP_ENV": settings.app_env}),
    )
    renewal, activation = publishing.renewal, publishing.activation
    reader = BundleReader(redis, gateway_id, verifier)
    snapshot_tags = TagKeys(settings.bundle_seal_keys, SNAPSHOT_CONTEXT)
    snapshot_reader = SnapshotReader(redis, snapshot_tags, gateway_id)
    return [
        *(SecretsAtRest(sessions, at_rest, table) for table in sealed_secrets.TABLES),
        PublishedSpecs(renewal, activation),
        SignedHead(sessions, renewal, activation),
        SnapshotsInPostgres(sessions, snapshot_tags, gateway_id),
        SnapshotsInRedis(snapshot_reader, SnapshotWriter(redis), snapshot_tags, gateway_id),
        Watermarks(sessions, redis, TagKeys(settings.bundle_seal_keys, ACCESS_PERSISTED_CONTEXT)),
        # Before what they might still be reading is removed.
        Followers(sessions, redis, newest),
        SupersededSpecs(sessions, bundle),
        SpecsInRedis(sessions, redis, reader, bundle),
        SignedBefore(sessions=sessions, redis=redis, reader=reader, beacons=publishing.beacons, key_id=signer.key_id),
        AccessBatches(redis, TagKeys(settings.bundle_seal_keys, ACCESS_BATCH_CONTEXT)),
    ]
