"""What the credential routes read and answer."""

from datetime import datetime

from msgspec import Struct

from control_plane.input.kinds import Line, Moment, RowIdText
from qg_core.specs import MethodType
from qg_store.models import AuthMethod, Credential

PREFIX_DIGITS = 8


class CredentialCreate(Struct, frozen=True, kw_only=True):
    consumer: Line
    expires_at: Moment | None = None


class CredentialView(Struct, frozen=True, kw_only=True):
    """`prefix` is how keys of this credential begin; null for other types. `last_used_at` comes from the
    access log, some seconds late; null until it was used."""

    id: RowIdText
    consumer: str
    prefix: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class IssuedCredential(Struct, frozen=True, kw_only=True):
    """A new credential with its secret, this once: `api_key`, `token`, or `username` and `password`."""

    id: RowIdText
    consumer: str
    method_type: MethodType
    prefix: str | None
    created_at: datetime
    expires_at: datetime | None
    api_key: str | None
    token: str | None
    username: str | None
    password: str | None
    note: str

    def __repr__(self) -> str:
        return "IssuedCredential(...)"


def credential_view(row: Credential, method: AuthMethod, last_used_at: datetime | None) -> CredentialView:
    """What is shown of a credential."""
    return CredentialView(
        id=row.id,
        consumer=row.consumer,
        prefix=prefix_of(row.id, method),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=last_used_at,
    )


def prefix_of(credential_id: str, method: AuthMethod) -> str | None:
    """How the keys of an `api_key` credential begin."""
    if method.method_type != MethodType.API_KEY.value:
        return None
    return f"{method.key_prefix}{credential_id.replace('-', '')[:PREFIX_DIGITS]}"
