"""One gateway's publishing on real Postgres and Redis, and rows to publish."""

import uuid
from collections.abc import Sequence

import msgspec
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from control_plane.actors import Actor
from control_plane.publishing.activator import Pace
from control_plane.publishing.parts import PublishingParts, build_publishing
from control_plane.publishing.references import StatementCheck
from qg_activation.fault_points import FaultPoints
from qg_bundle.link import open_link
from qg_core.specs import Address, AuthMethodSecret, ConnectionSecret, CredentialSecret, SpecKind, sealed_row
from qg_security.sealing import Sealer, new_fernet_key
from qg_security.signing import Ed25519Signer, Ed25519Verifier, generate_signing_key
from qg_store.engine import SessionFactory, make_engine, make_sessions
from qg_store.models import AuthMethod, Base, Connection, Credential, Endpoint
from qg_telemetry.events import Event

GATEWAY = "gw-test"
ADMIN = Actor(admin_id=None, username="alice", role="admin")
BCRYPT = "$2b$04$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"
FAST = Pace(beacon_every_s=0.5, look_every_s=0.1, sweep_every_s=600)


class Keys(msgspec.Struct, frozen=True):
    """All keys of one gateway, as the environment would hold them."""

    signing: str
    verify: str
    at_rest: str
    seal: str


def new_keys() -> Keys:
    signing, verify = generate_signing_key()
    return Keys(signing, verify, new_fernet_key(), new_fernet_key())


class Rig:
    """A control plane's publishing; several may share databases and keys."""

    def __init__(
        self,
        database_url: str,
        redis_url: str,
        keys: Keys | None = None,
        *,
        faults: FaultPoints | None = None,
        pace: Pace = FAST,
        statement_check: StatementCheck | None = None,
        gateway_id: str = GATEWAY,
        timeout_s: float = 2.0,
        also_verify: Sequence[str] = (),
        also_seal: Sequence[str] = (),
        also_at_rest: Sequence[str] = (),
    ) -> None:
        self.keys = keys or new_keys()
        self.gateway_id = gateway_id
        self.engine: AsyncEngine = make_engine(database_url)
        self.sessions: SessionFactory = make_sessions(self.engine)
        self.redis: Redis = open_link(redis_url, timeout_s=timeout_s)
        self.signer = Ed25519Signer(self.keys.signing)
        self.verifier = Ed25519Verifier([self.keys.verify, *also_verify])
        self.at_rest = Sealer([self.keys.at_rest, *also_at_rest])
        self.seal = Sealer([self.keys.seal])
        self.events: list[Event] = []
        self.parts: PublishingParts = build_publishing(
            gateway_id=gateway_id,
            sessions=self.sessions,
            redis=self.redis,
            signer=self.signer,
            verifier=self.verifier,
            at_rest=self.at_rest,
            bundle_seal_keys=[*also_seal, self.keys.seal],
            observe=self.events.append,
            statement_check=statement_check,
            faults=faults,
            pace=pace,
        )
        self.publishing = self.parts.publishing

    async def close(self) -> None:
        await self.parts.activator.close()
        await self.redis.aclose()
        await self.engine.dispose()

    def saw(self, event: str, **fields: object) -> bool:
        """Whether such an event was observed."""
        return any(
            found.event == event and all(getattr(found, name) == value for name, value in fields.items())
            for found in self.events
        )

    async def add(self, *rows: object) -> int:
        """Save rows as one change; the revision."""
        async with self.publishing.change(ADMIN) as change:
            change.session.add_all(rows)
            await change.session.flush()
            for row in rows:
                change.touch(kind_of(row), row.id)  # type: ignore[attr-defined]  # every model here has an id
        return change.revision

    async def edit(self, row_type: type[Base], row_id: str, **fields: object) -> int:
        """Change one row; the revision."""
        async with self.publishing.change(ADMIN) as change:
            row = await change.session.get(row_type, row_id)
            for name, value in fields.items():
                setattr(row, name, value)
            change.touch(kind_of(row), row_id)
        return change.revision

    async def remove(self, row_type: type[Base], row_id: str) -> int:
        """Delete one row; the revision."""
        async with self.publishing.change(ADMIN) as change:
            row = await change.session.get(row_type, row_id)
            await change.session.delete(row)
            change.touch(kind_of(row), row_id)
        return change.revision

    def session(self) -> AsyncSession:
        return self.sessions()

    def connection(self, name: str = "erp", password: str = "tiger") -> Connection:
        row_id = str(uuid.uuid4())
        return Connection(
            id=row_id,
            name=name,
            addresses=(Address(protocol="tcp", host="127.0.0.1", port=1521),),
            load_balance=False,
            failover=True,
            service_name="FREEPDB1",
            username="app",
            sealed=self.at_rest.seal(sealed_row(SpecKind.CONNECTION, row_id), ConnectionSecret(password)),
            pool_min=1,
            pool_max=5,
            pool_timeout_s=10,
            query_timeout_s=30,
            is_active=True,
        )

    def api_key_method(self, name: str = "keys") -> AuthMethod:
        row_id = str(uuid.uuid4())
        return AuthMethod(
            id=row_id,
            name=name,
            method_type="api_key",
            key_prefix="qg_",
            sealed=self.at_rest.seal(sealed_row(SpecKind.AUTH_METHOD, row_id), AuthMethodSecret("ab" * 64)),
            is_active=True,
        )

    def credential(self, method: AuthMethod, consumer: str = "acme") -> Credential:
        row_id = str(uuid.uuid4())
        return Credential(
            id=row_id,
            auth_method_id=method.id,
            consumer=consumer,
            sealed=self.at_rest.seal(sealed_row(SpecKind.CREDENTIAL, row_id), CredentialSecret(BCRYPT)),
        )


def endpoint(
    connection: Connection, method: AuthMethod | None = None, path: str = "orders", **fields: object
) -> Endpoint:
    """An endpoint on `path`; public without a method."""
    values: dict[str, object] = {
        "id": str(uuid.uuid4()),
        "name": path,
        "path": path,
        "version": "v1",
        "connection_id": connection.id,
        "auth_method_id": method.id if method else None,
        "allow_unauthenticated": method is None,
        "sql_text": "select 1 as one from dual",
        "param_schema": {},
        "column_map": {},
        "data_strategy": "live",
        "numbers": "number",
        "rows_max": 1_000,
        "bytes_max": 10_485_760,
        "timeout_ms": None,
        "concurrency_max": 5,
        "is_active": True,
        "is_deprecated": False,
        "deprecation_note": None,
    }
    return Endpoint(**(values | fields))


def kind_of(row: object) -> SpecKind:
    kinds: dict[type, SpecKind] = {
        Endpoint: SpecKind.ENDPOINT,
        Connection: SpecKind.CONNECTION,
        AuthMethod: SpecKind.AUTH_METHOD,
        Credential: SpecKind.CREDENTIAL,
    }
    return kinds[type(row)]
