"""A bundle put into Redis by hand: for tests and benchmarks that want data planes and no control plane.

It holds the same bytes that a control plane would publish; every `publish` signs a full checkpoint of a new revision.
"""

import time
import uuid
from typing import Any

import msgspec

from qg_bundle.envelope import seal_beacon, seal_checkpoint
from qg_bundle.link import open_link
from qg_bundle.writer import BundleWriter, StoredSpec
from qg_core.parameters import Parameter, ParameterType
from qg_core.revisions import Beacon, Manifest, SubjectKey, checkpoint_of
from qg_core.specs import (
    SPEC_FORMAT,
    Address,
    AuthMethodSecret,
    AuthMethodSpec,
    ConnectionSecret,
    ConnectionSpec,
    CredentialSecret,
    CredentialSpec,
    DataStrategy,
    EndpointSpec,
    MethodType,
    NumberStyle,
    Spec,
    SpecKind,
    digest_of,
    encode_spec,
    sealed_row,
)
from qg_security.api_keys import mint
from qg_security.keys import new_hmac_secret
from qg_security.passwords import hash_password
from qg_security.sealing import Sealer, new_fernet_key
from qg_security.signing import Ed25519Signer, generate_signing_key
from qg_security.tokens import issue_token

KEY_PREFIX = "qg_"
ALGORITHM = "HS256"


class HandPublished:
    """Specs by id, and the keys of a gateway of its own. Specs may be changed between two calls of `publish`."""

    def __init__(self, redis_url: str, gateway_id: str = "by-hand") -> None:
        self.redis_url = redis_url
        self.gateway_id = gateway_id
        self.revision = 0
        self.specs: dict[tuple[SpecKind, str], Spec] = {}
        self._signing_key, self._verify_key = generate_signing_key()
        self._seal_key = new_fernet_key()
        self._sealer = Sealer((self._seal_key,))
        self._method_secrets: dict[str, str] = {}

    @property
    def seal_key(self) -> str:
        """`BUNDLE_SEAL_KEY` of this gateway."""
        return self._seal_key

    def environ(self, state_dir: str, port: int, ops_port: int) -> dict[str, str]:
        """The settings of a data plane of this gateway."""
        return {
            "GATEWAY_ID": self.gateway_id,
            "REDIS_URL": self.redis_url,
            "BUNDLE_SEAL_KEY": self._seal_key,
            "BUNDLE_VERIFY_KEYS": self._verify_key,
            "STATE_DIR": state_dir,
            "PORT": str(port),
            "OPS_PORT": str(ops_port),
            "APP_ENV": "test",
        }

    def put(self, spec: Spec) -> None:
        """Add or replace a spec; it is served after the next `publish`."""
        self.specs[spec.kind_, spec.id] = spec

    def remove(self, kind: SpecKind, subject_id: str) -> None:
        """Take a spec out of what is published next."""
        del self.specs[kind, subject_id]

    def connection(self, host: str, port: int, service_name: str, user: str, password: str, **fields: Any) -> str:
        """Add a connection; its id. `fields` replace fields of the spec."""
        connection_id = str(uuid.uuid4())
        row = sealed_row(SpecKind.CONNECTION, connection_id)
        values: dict[str, Any] = {
            "format": SPEC_FORMAT,
            "id": connection_id,
            "name": f"connection {connection_id[:8]}",
            "addresses": (Address(protocol="tcp", host=host, port=port),),
            "load_balance": False,
            "failover": True,
            "service_name": service_name,
            "sid": None,
            "server_dn": None,
            "username": user,
            "sealed": self._sealer.seal(row, ConnectionSecret(password=password)),
            "pool_min": 1,
            "pool_max": 8,
            "pool_timeout_s": 10,
            "query_timeout_s": 30,
        }
        self.put(ConnectionSpec(**{**values, **fields}))
        return connection_id

    def method(self, method_type: MethodType) -> str:
        """Add an auth method; its id."""
        method_id = str(uuid.uuid4())
        sealed = None
        if method_type is not MethodType.BASIC:
            secret = self._method_secrets[method_id] = new_hmac_secret()
            row = sealed_row(SpecKind.AUTH_METHOD, method_id)
            sealed = self._sealer.seal(row, AuthMethodSecret(hmac_secret=secret))
        self.put(
            AuthMethodSpec(
                format=SPEC_FORMAT,
                id=method_id,
                name=f"{method_type.value} {method_id[:8]}",
                method_type=method_type,
                algorithm=ALGORITHM if method_type is MethodType.BEARER else None,
                key_prefix=KEY_PREFIX if method_type is MethodType.API_KEY else None,
                sealed=sealed,
            )
        )
        return method_id

    def api_key(self, method_id: str, consumer: str, expires_at: str | None = None) -> str:
        """Add a credential of an `api_key` method; the key."""
        credential_id = str(uuid.uuid4())
        minted = mint(KEY_PREFIX, credential_id, self._method_secrets[method_id])
        secret = CredentialSecret(bcrypt_hash=hash_password(minted.secret_part))
        self._credential(credential_id, method_id, MethodType.API_KEY, consumer, secret, expires_at)
        return minted.key

    def token(self, method_id: str, consumer: str, expires_in_s: int = 3_600) -> str:
        """Add a credential of a `bearer` method; a token of it."""
        credential_id = str(uuid.uuid4())
        self._credential(credential_id, method_id, MethodType.BEARER, consumer, None, None)
        token, _ = issue_token(
            method_id,
            ALGORITHM,
            self._method_secrets[method_id],
            consumer=consumer,
            credential_id=credential_id,
            expires_in_s=expires_in_s,
            now=time.time(),
        )
        return token

    def password(self, method_id: str, user: str, password: str) -> None:
        """Add a user of a `basic` method."""
        secret = CredentialSecret(bcrypt_hash=hash_password(password))
        self._credential(str(uuid.uuid4()), method_id, MethodType.BASIC, user, secret, None)

    def endpoint(self, path: str, sql_text: str, connection_id: str, method_id: str | None, **fields: Any) -> str:
        """Add an endpoint; its id. Without a method it is public. `fields` replace fields of the spec."""
        endpoint_id = str(uuid.uuid4())
        values: dict[str, Any] = {
            "format": SPEC_FORMAT,
            "id": endpoint_id,
            "name": path,
            "path": path,
            "version": "v1",
            "connection_id": connection_id,
            "auth_method_id": method_id,
            "allow_unauthenticated": method_id is None,
            "sql_text": sql_text,
            "parameters": {},
            "column_map": {},
            "data_strategy": DataStrategy.LIVE,
            "numbers": NumberStyle.NUMBER,
            "rows_max": 1_000,
            "bytes_max": 1_000_000_000,
            "timeout_ms": None,
            "concurrency_max": 5,
            "is_deprecated": False,
            "deprecation_note": None,
        }
        self.put(EndpointSpec(**{**values, **fields}))
        return endpoint_id

    def change(self, kind: SpecKind, subject_id: str, **fields: Any) -> None:
        """Replace fields of a spec."""
        self.put(msgspec.structs.replace(self.specs[kind, subject_id], **fields))

    async def publish(self, age_s: float = 0.0) -> int:
        """Sign and put everything as a new revision, with a beacon of `age_s` seconds ago; the revision."""
        self.revision += 1
        now = time.time() - age_s
        stored: dict[SubjectKey, StoredSpec] = {}
        for (kind, subject_id), spec in self.specs.items():
            body = encode_spec(spec)
            stored[SubjectKey(kind.value, subject_id)] = StoredSpec(digest_of(body), body)
        manifest = Manifest(self.revision, {key: spec.digest for key, spec in stored.items()})
        signer = Ed25519Signer(self._signing_key)
        redis = open_link(self.redis_url)
        try:
            writer = BundleWriter(redis)
            await writer.put_specs(stored.values(), now)
            await writer.put_checkpoint(
                self.revision, seal_checkpoint(signer, checkpoint_of(manifest, self.gateway_id, now))
            )
            await writer.move_head(self.revision)
            beacon = Beacon(gateway_id=self.gateway_id, head=self.revision, issued_at=now)
            await writer.put_beacon(seal_beacon(signer, beacon))
            await writer.hint(self.revision)
        finally:
            await redis.aclose()
        return self.revision

    def _credential(
        self,
        credential_id: str,
        method_id: str,
        method_type: MethodType,
        consumer: str,
        secret: CredentialSecret | None,
        expires_at: str | None,
    ) -> None:
        sealed = None
        if secret is not None:
            sealed = self._sealer.seal(sealed_row(SpecKind.CREDENTIAL, credential_id), secret)
        self.put(
            CredentialSpec(
                format=SPEC_FORMAT,
                id=credential_id,
                auth_method_id=method_id,
                method_type=method_type,
                consumer=consumer,
                expires_at=expires_at,
                sealed=sealed,
            )
        )


def integer_parameter(name: str) -> dict[str, Parameter]:
    """One required integer."""
    return {name: Parameter(type=ParameterType.INTEGER)}
