"""What an old key still opens or verifies of what lies in Postgres and Redis: after a rotation it must be nothing."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping

import asyncpg
from redis.asyncio import Redis

from qg_bundle import keys
from qg_bundle.access.codec import decode_batch, read_persisted
from qg_bundle.access.key_rotation import all_persisted, waiting_batches
from qg_bundle.envelope import open_beacon, open_checkpoint, open_delta
from qg_bundle.rejections import BundleRejected
from qg_bundle.snapshots.codec import open_header
from qg_core.specs import SealedSpec, SpecUnreadable, decode_spec, sealed_row
from qg_security.sealing import Sealer
from qg_security.signing import Ed25519Verifier
from qg_security.tags import ACCESS_BATCH_CONTEXT, ACCESS_PERSISTED_CONTEXT, SNAPSHOT_CONTEXT, TagKeys
from tests.integration.publishing.rig import Keys

SEALED_TABLES = {
    "connections": "connection",
    "auth_methods": "auth_method",
    "credentials": "credential",
    "admins": "admin",
}
"""Tables with sealed secrets, and what names a row of each inside."""


async def sealed_at_rest(database_url: str) -> dict[str, str]:
    """Row name -> sealed secret, of all tables."""
    found: dict[str, str] = {}
    for table, kind in SEALED_TABLES.items():
        rows = await _rows(database_url, f"SELECT id::text, sealed FROM {table} WHERE sealed IS NOT NULL")
        found |= {f"{kind}:{row_id}": str(token) for row_id, token in rows}
    return found


def opened_by(key: str, sealed: Mapping[str, str]) -> set[str]:
    """The names of the rows whose secret this key alone opens there."""
    return {row for row, token in sealed.items() if opens(key, row, token)}


def opens(key: str, row: str, token: str) -> bool:
    """Whether this key alone opens a secret of that row."""
    return _holds(Sealer([key]).seal_again, row, token)


async def under(old: Keys, database_url: str, redis: Redis, gateway_id: str) -> list[str]:
    """The names of everything that these keys alone open or verify; `database_url` is a superuser's."""
    sealed = await sealed_at_rest(database_url)
    found = [f"postgres {row}" for row in sorted(opened_by(old.at_rest, sealed))]
    for digest, body in await _rows(database_url, "SELECT digest, body FROM specs"):
        found += [f"postgres spec {digest}"] * _opens_spec(old, body)
    verifier = Ed25519Verifier([old.verify])
    for revision, body in await _rows(database_url, "SELECT revision, body FROM checkpoints"):
        found += [f"postgres checkpoint {revision}"] * _holds(open_checkpoint, verifier, gateway_id, body, revision)
    tags = TagKeys([old.seal], SNAPSHOT_CONTEXT)
    for endpoint, header in await _rows(database_url, "SELECT endpoint_id::text, header FROM snapshots"):
        found += [f"postgres snapshot of {endpoint}"] * _holds(open_header, tags, gateway_id, endpoint, header)
    return found + [name async for name in _in_redis(old, redis, gateway_id)]


async def _in_redis(old: Keys, redis: Redis, gateway_id: str) -> AsyncIterator[str]:
    verifier, tags = Ed25519Verifier([old.verify]), TagKeys([old.seal], SNAPSHOT_CONTEXT)
    async for raw in redis.scan_iter(match="qg:*"):
        name = raw.decode()
        if await redis.type(name) != b"string":
            continue
        body, last = await redis.get(name) or b"", name.rpartition(":")[2]
        if (
            (name == keys.BEACON and _holds(open_beacon, verifier, gateway_id, body))
            or (name.startswith(keys.SPEC_PREFIX) and _opens_spec(old, body))
            or (name.startswith(keys.CHECKPOINT_PREFIX) and _holds(open_checkpoint, verifier, gateway_id, body, last))
            or (name.startswith(keys.DELTA_PREFIX) and _holds(open_delta, verifier, gateway_id, body, int(last)))
            or (name.startswith(keys.SNAPSHOT_PREFIX) and _holds(open_header, tags, gateway_id, last, body))
        ):
            yield f"redis {name}"
    marks, batches = TagKeys([old.seal], ACCESS_PERSISTED_CONTEXT), TagKeys([old.seal], ACCESS_BATCH_CONTEXT)
    for log_id, value in (await all_persisted(redis)).items():
        if _holds(read_persisted, marks, log_id, value):
            yield f"redis watermark {log_id}"
    async for fields in waiting_batches(redis):
        if _holds(decode_batch, batches, fields):
            yield "redis batch"


def _opens_spec(old: Keys, body: bytes) -> bool:
    try:
        spec = decode_spec(body)
    except SpecUnreadable:
        return False
    return (
        isinstance(spec, SealedSpec)
        and bool(spec.sealed)
        and opens(old.seal, sealed_row(spec.kind_, spec.id), str(spec.sealed))
    )


def _holds(look: Callable[..., object], *arguments: object) -> bool:
    """Whether it is taken; a refusal may name the place (a revision, a row) only after the key was found right."""
    try:
        look(*arguments)
    except BundleRejected as rejected:
        return rejected.reason.value in {"other_revision", "other_subject"}
    except ValueError:
        return False
    return True


async def _rows(database_url: str, statement: str) -> Iterable[tuple[str, bytes]]:
    session = await asyncpg.connect(database_url)
    try:
        return [tuple(row) for row in await session.fetch(statement)]
    finally:
        await session.close()
