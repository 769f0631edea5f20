"""Specs: the immutable compiled forms that a revision names by digest and that data planes serve.

A spec is canonical JSON (sorted keys, every field written out, so that a changed default never changes what stored
bytes mean); its name is the
SHA-256 of those bytes. Secrets inside are sealed tokens whose plaintext names the row they belong to (`sealed_row`).
"""

import enum
import hashlib
from typing import ClassVar

import msgspec

from qg_core.parameters import Parameter

SPEC_FORMAT = 1
"""The format this release writes."""

FORMATS_READ = frozenset({1})
"""The formats this release can serve."""


class SpecKind(enum.StrEnum):
    ENDPOINT = "endpoint"
    CONNECTION = "connection"
    AUTH_METHOD = "auth_method"
    CREDENTIAL = "credential"
    SETTINGS = "settings"


class MethodType(enum.StrEnum):
    BEARER = "bearer"
    BASIC = "basic"
    API_KEY = "api_key"


class DataStrategy(enum.StrEnum):
    LIVE = "live"
    SNAPSHOT = "snapshot"


class NumberStyle(enum.StrEnum):
    """How NUMBER columns wider than 15 digits are written."""

    NUMBER = "number"
    STRING = "string"


class EndpointSpec(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="endpoint"):
    """One endpoint: where it answers, who may call, which statement runs, within which limits."""

    kind_: ClassVar[SpecKind] = SpecKind.ENDPOINT
    format: int
    id: str
    name: str
    path: str
    version: str
    connection_id: str
    auth_method_id: str | None
    allow_unauthenticated: bool
    sql_text: str
    parameters: dict[str, Parameter]
    column_map: dict[str, str]
    data_strategy: DataStrategy
    numbers: NumberStyle
    rows_max: int
    bytes_max: int
    timeout_ms: int | None
    concurrency_max: int
    is_deprecated: bool
    deprecation_note: str | None


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """One listener address of an Oracle database."""

    protocol: str
    host: str
    port: int


class ConnectionSpec(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="connection"):
    """Where and as whom to reach one Oracle database; exactly one of `service_name` and `sid`.

    `sealed` opens to `ConnectionSecret`.
    """

    kind_: ClassVar[SpecKind] = SpecKind.CONNECTION
    format: int
    id: str
    name: str
    addresses: tuple[Address, ...]
    load_balance: bool
    failover: bool
    service_name: str | None
    sid: str | None
    server_dn: str | None
    username: str
    sealed: str
    pool_min: int
    pool_max: int
    pool_timeout_s: int
    query_timeout_s: int


class AuthMethodSpec(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="auth_method"):
    """How consumers prove themselves. `sealed` opens to `AuthMethodSecret` (null for `basic`)."""

    kind_: ClassVar[SpecKind] = SpecKind.AUTH_METHOD
    format: int
    id: str
    name: str
    method_type: MethodType
    algorithm: str | None
    key_prefix: str | None
    sealed: str | None


class CredentialSpec(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="credential"):
    """One consumer's secret under one auth method. `expires_at` is RFC 3339 in UTC or null.

    `consumer` is the `sub` of bearer tokens and the user name of `basic`. `sealed` opens to `CredentialSecret`
    (null for bearer: the token itself is the secret).
    """

    kind_: ClassVar[SpecKind] = SpecKind.CREDENTIAL
    format: int
    id: str
    auth_method_id: str
    method_type: MethodType
    consumer: str
    expires_at: str | None
    sealed: str | None


SETTINGS_ID = "gateway"
"""The one subject of kind `settings`."""


class SettingsSpec(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="settings"):
    """What admins stored of the settings in `qg_core.gateway_settings`; null: nothing stored, the environment's holds.

    Published while at least one value is stored. Units: `query_timeout_seconds` seconds, `access_log_retention_days`
    days, the others counts.
    """

    kind_: ClassVar[SpecKind] = SpecKind.SETTINGS
    format: int
    id: str = SETTINGS_ID
    log_level: str | None
    query_timeout_seconds: int | None
    cors_origins: tuple[str, ...] | None
    snapshot_retention_count: int | None
    max_job_concurrency: int | None
    access_log_retention_days: int | None


SealedSpec = ConnectionSpec | AuthMethodSpec | CredentialSpec
"""The kinds that may carry a sealed secret."""

Spec = EndpointSpec | SealedSpec | SettingsSpec


class ConnectionSecret(msgspec.Struct, frozen=True):
    """Plaintext of `ConnectionSpec.sealed`; `wallet` is PEM."""

    password: str
    wallet: str | None = None

    def __repr__(self) -> str:
        return "ConnectionSecret(...)"


class AuthMethodSecret(msgspec.Struct, frozen=True):
    """Plaintext of `AuthMethodSpec.sealed`: the HMAC secret (hex) that signs bearer tokens or tags API keys."""

    hmac_secret: str

    def __repr__(self) -> str:
        return "AuthMethodSecret(...)"


class CredentialSecret(msgspec.Struct, frozen=True):
    """Plaintext of `CredentialSpec.sealed`: the bcrypt hash of an API key's secret part or of a password."""

    bcrypt_hash: str

    def __repr__(self) -> str:
        return "CredentialSecret(...)"


class SpecHeader(msgspec.Struct, frozen=True):
    """The two fields every spec of every format has, readable before the rest is understood."""

    kind: str
    format: int
    id: str


class SpecUnreadable(ValueError):
    """The bytes are no spec that this release can read (unknown kind or format, or malformed)."""


_encoder = msgspec.json.Encoder(order="sorted")
_decoder: msgspec.json.Decoder[Spec] = msgspec.json.Decoder(Spec)
_header_decoder = msgspec.json.Decoder(SpecHeader)


def sealed_row(kind: SpecKind, row_id: str) -> str:
    """What a sealed secret's plaintext must name: the row it belongs to."""
    return f"{kind.value}:{row_id}"


def encode_spec(spec: Spec) -> bytes:
    """The canonical bytes of a spec."""
    return _encoder.encode(spec)


def digest_of(body: bytes) -> str:
    """The name of a spec: SHA-256 of its bytes, 64 hex digits."""
    return hashlib.sha256(body).hexdigest()


def decode_spec(body: bytes) -> Spec:
    """Read a spec whose digest was verified.

    Raises `SpecUnreadable` on an unknown kind or format and on malformed bytes.
    """
    try:
        header = _header_decoder.decode(body)
        if header.format not in FORMATS_READ:
            raise SpecUnreadable(
                f"format {header.format} of {header.kind} {header.id} is not one of {sorted(FORMATS_READ)}"
            )
        return _decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise SpecUnreadable(str(error)) from error
