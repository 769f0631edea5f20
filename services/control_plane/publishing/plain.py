"""What a row says in a spec, before its secret is sealed for the nodes.

The secret's place in the spec is left empty here; `compiler` decides whether the stored bytes still say the same.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from qg_core.errors import FieldProblem, InvalidInput
from qg_core.gateway_settings import settings_spec, stored_values
from qg_core.specs import (
    SPEC_FORMAT,
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
    SettingsSpec,
    Spec,
    SpecKind,
    sealed_row,
)
from qg_security.sealing import Sealer
from qg_store.models import AuthMethod, Connection, Credential, Endpoint, StoredSetting

Secret = ConnectionSecret | AuthMethodSecret | CredentialSecret

SECRET_TYPES: dict[SpecKind, type[Secret]] = {
    SpecKind.CONNECTION: ConnectionSecret,
    SpecKind.AUTH_METHOD: AuthMethodSecret,
    SpecKind.CREDENTIAL: CredentialSecret,
}


class Plain(msgspec.Struct, frozen=True):
    """A spec whose `sealed` is empty, and the secret that belongs there (null: none)."""

    spec: Spec
    secret: Secret | None

    def __repr__(self) -> str:
        return f"Plain({self.spec.kind_.value}:{self.spec.id})"


def plain_endpoint(row: Endpoint) -> Plain:
    """What an endpoint's row says."""
    spec = EndpointSpec(
        format=SPEC_FORMAT,
        id=row.id,
        name=row.name,
        path=row.path,
        version=row.version,
        connection_id=row.connection_id,
        auth_method_id=row.auth_method_id,
        allow_unauthenticated=row.allow_unauthenticated,
        sql_text=row.sql_text,
        parameters=row.param_schema,
        column_map=row.column_map,
        data_strategy=DataStrategy(row.data_strategy),
        numbers=NumberStyle(row.numbers),
        rows_max=row.rows_max,
        bytes_max=row.bytes_max,
        timeout_ms=row.timeout_ms,
        concurrency_max=row.concurrency_max,
        is_deprecated=row.is_deprecated,
        deprecation_note=row.deprecation_note,
    )
    return Plain(spec, None)


def plain_connection(row: Connection, at_rest: Sealer) -> Plain:
    """What a connection's row says. Raises `SealBroken`."""
    spec = ConnectionSpec(
        format=SPEC_FORMAT,
        id=row.id,
        name=row.name,
        addresses=row.addresses,
        load_balance=row.load_balance,
        failover=row.failover,
        service_name=row.service_name,
        sid=row.sid,
        server_dn=row.server_dn,
        username=row.username,
        sealed="",
        pool_min=row.pool_min,
        pool_max=row.pool_max,
        pool_timeout_s=row.pool_timeout_s,
        query_timeout_s=row.query_timeout_s,
    )
    return Plain(spec, at_rest.open(sealed_row(SpecKind.CONNECTION, row.id), row.sealed, ConnectionSecret))


def plain_auth_method(row: AuthMethod, at_rest: Sealer) -> Plain:
    """What an auth method's row says. Raises `SealBroken`."""
    spec = AuthMethodSpec(
        format=SPEC_FORMAT,
        id=row.id,
        name=row.name,
        method_type=MethodType(row.method_type),
        algorithm=row.algorithm,
        key_prefix=row.key_prefix,
        sealed=None,
    )
    if row.sealed is None:
        return Plain(spec, None)
    return Plain(spec, at_rest.open(sealed_row(SpecKind.AUTH_METHOD, row.id), row.sealed, AuthMethodSecret))


def plain_credential(row: Credential, method: AuthMethod, at_rest: Sealer) -> Plain:
    """What a credential's row says. Raises `SealBroken`."""
    spec = CredentialSpec(
        format=SPEC_FORMAT,
        id=row.id,
        auth_method_id=row.auth_method_id,
        method_type=MethodType(method.method_type),
        consumer=row.consumer,
        expires_at=rfc3339(row.expires_at) if row.expires_at is not None else None,
        sealed=None,
    )
    if row.sealed is None:
        return Plain(spec, None)
    return Plain(spec, at_rest.open(sealed_row(SpecKind.CREDENTIAL, row.id), row.sealed, CredentialSecret))


def plain_settings(rows: Iterable[StoredSetting]) -> Plain | None:
    """What the stored settings say; null when none that this release knows is stored. Raises `InvalidInput`."""
    try:
        spec = settings_spec({row.key: row.value for row in rows})
    except ValueError as error:
        raise InvalidInput([FieldProblem("settings", str(error))]) from None
    return Plain(spec, None) if stored_values(spec) else None


def without_secret(spec: Spec) -> Spec:
    """The spec as `Plain` holds it: the sealed token taken out, in today's format."""
    if isinstance(spec, EndpointSpec | SettingsSpec):
        return msgspec.structs.replace(spec, format=SPEC_FORMAT)
    if isinstance(spec, ConnectionSpec):
        return msgspec.structs.replace(spec, format=SPEC_FORMAT, sealed="")
    return msgspec.structs.replace(spec, format=SPEC_FORMAT, sealed=None)


def rfc3339(moment: datetime) -> str:
    """The moment in UTC, ending in `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
