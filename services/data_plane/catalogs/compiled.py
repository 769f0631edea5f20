"""Verified specs compiled for serving, one by one: whatever can't be used is a value too, and holds up nothing else."""

import hashlib

import msgspec

from data_plane.catalogs.shapes import AnswerShape, compile_shape, path_of
from qg_core.binding import Binder, compile_binder
from qg_core.gateway_settings import stored_values
from qg_core.revisions import SubjectKey
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
    NumberStyle,
    SealedSpec,
    SettingsSpec,
    SpecUnreadable,
    decode_spec,
    encode_spec,
    sealed_row,
)
from qg_oracle.statements import Statement, statement_of
from qg_oracle.targets import ConnectionTarget, check_target, target_of
from qg_security.authenticators import CompiledCredential, compile_credential
from qg_security.sealing import SealBroken, Sealer


class CompiledEndpoint(msgspec.Struct, frozen=True):
    """All of an endpoint that depends on its own spec alone."""

    spec: EndpointSpec
    path: bytes
    binder: Binder
    statement: Statement
    shape: AnswerShape


class CompiledConnection(msgspec.Struct, frozen=True):
    """A connection whose password was opened."""

    spec: ConnectionSpec
    target: ConnectionTarget


class CompiledMethod(msgspec.Struct, frozen=True):
    """An auth method whose secret was opened; its authenticator also needs its credentials. `digest`: `_content_of`."""

    spec: AuthMethodSpec
    digest: str
    secret: AuthMethodSecret | None

    def __repr__(self) -> str:
        return f"CompiledMethod({self.spec.id!r})"


class CompiledSettings(msgspec.Struct, frozen=True):
    """The values that admins stored, each within its range."""

    spec: SettingsSpec


class Unusable(msgspec.Struct, frozen=True):
    """A verified spec that this node can't use. `endpoint` is what could still be told of an endpoint."""

    reason: str
    detail: str
    endpoint: CompiledEndpoint | None = None


Compiled = CompiledEndpoint | CompiledConnection | CompiledMethod | CompiledCredential | CompiledSettings | Unusable

UNKNOWN_FORMAT = "unreadable_spec"
SECRET_BROKEN = "secret_does_not_open"  # noqa: S105 - the slug of a reason
NOT_ACCEPTED = "refused_values"
OTHER_SUBJECT = "other_subject"
MISSING = "missing_spec"


class _Fragment(msgspec.Struct, frozen=True):
    """What an endpoint's spec of any format is expected to say of where it answers."""

    id: str
    path: str
    name: str = ""


def compile_spec(key: SubjectKey, body: bytes, sealer: Sealer) -> Compiled:
    """Compile the verified bytes that the manifest names for `key`. Never raises."""
    try:
        spec = decode_spec(body)
    except SpecUnreadable as error:
        return Unusable(UNKNOWN_FORMAT, str(error), _stand_in(key, body))
    if (spec.kind_.value, spec.id) != (key.kind, key.id):
        return Unusable(OTHER_SUBJECT, f"the spec is {spec.kind_.value} {spec.id}")
    try:
        if isinstance(spec, EndpointSpec):
            return _endpoint(spec)
        if isinstance(spec, SettingsSpec):
            stored_values(spec)
            return CompiledSettings(spec)
        return _with_secret(spec, sealer)
    except SealBroken as error:
        return Unusable(SECRET_BROKEN, str(error))
    except Exception as error:  # noqa: BLE001 - one bad row must never hold up a revocation
        # Only the kind of error: a message might hold a part of what was opened.
        stand_in = _stand_in(key, body) if isinstance(spec, EndpointSpec) else None
        return Unusable(NOT_ACCEPTED, type(error).__name__, stand_in)


def _endpoint(spec: EndpointSpec) -> CompiledEndpoint:
    return CompiledEndpoint(
        spec, path_of(spec), compile_binder(spec.parameters), statement_of(spec), compile_shape(spec)
    )


def _with_secret(spec: SealedSpec, sealer: Sealer) -> CompiledConnection | CompiledMethod | CompiledCredential:
    row = sealed_row(spec.kind_, spec.id)
    if isinstance(spec, ConnectionSpec):
        target = target_of(spec, sealer.open(row, spec.sealed, ConnectionSecret))
        check_target(target)
        return CompiledConnection(spec, target)
    if isinstance(spec, AuthMethodSpec):
        opened = sealer.open(row, spec.sealed, AuthMethodSecret) if spec.sealed is not None else None
        return CompiledMethod(spec, _content_of(spec, opened), opened)
    secret = sealer.open(row, spec.sealed, CredentialSecret) if spec.sealed is not None else None
    return compile_credential(spec, _content_of(spec, secret), secret)


def _content_of(spec: AuthMethodSpec | CredentialSpec, secret: AuthMethodSecret | CredentialSecret | None) -> str:
    """What a spec says, its opened secret included, as a digest that never leaves the process.

    Not the digest of the spec: that changes when a rotation of keys seals the same secret again, and everybody who was
    verified under it would have to be verified anew, all at once.
    """
    said = encode_spec(msgspec.structs.replace(spec, sealed=None))
    return hashlib.blake2b(said + b"\0" + msgspec.json.encode(secret), digest_size=32).hexdigest()


def _stand_in(key: SubjectKey, body: bytes) -> CompiledEndpoint | None:
    """Enough of an endpoint to answer 503 where it would have answered; null when even that can't be told."""
    if key.kind != "endpoint":
        return None
    try:
        fragment = msgspec.json.decode(body, type=_Fragment)
        return _endpoint(
            EndpointSpec(
                format=SPEC_FORMAT,
                id=key.id,
                name=fragment.name or fragment.path,
                path=fragment.path,
                version="",
                connection_id="",
                auth_method_id="",
                allow_unauthenticated=False,
                sql_text="",
                parameters={},
                column_map={},
                data_strategy=DataStrategy.LIVE,
                numbers=NumberStyle.NUMBER,
                rows_max=1,
                bytes_max=1,
                timeout_ms=1,
                concurrency_max=1,
                is_deprecated=False,
                deprecation_note=None,
            )
        )
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        return None
