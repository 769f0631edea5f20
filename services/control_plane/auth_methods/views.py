"""What the auth method routes read and answer."""

from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from control_plane.input.kinds import Description, Line, Name, RowIdText
from qg_core.specs import MethodType
from qg_security.api_keys import PREFIX_LENGTH_MAX
from qg_security.passwords import PASSWORD_BYTES_MAX
from qg_store.models import AuthMethod

Algorithm = Annotated[str, Meta(max_length=8, extra_json_schema={"enum": ["HS256", "HS384", "HS512"]})]
ExpireMinutes = Annotated[int, Meta(ge=1, le=525_600)]
ConsumerPassword = Annotated[
    str, Meta(min_length=1, max_length=PASSWORD_BYTES_MAX, description=f"At most {PASSWORD_BYTES_MAX} bytes in UTF-8")
]
KeyPrefix = Annotated[str, Meta(max_length=PREFIX_LENGTH_MAX, pattern=r"^[A-Za-z0-9_.-]*(?![\s\S])")]


class MethodCreate(Struct, frozen=True, kw_only=True):
    """Which of the last five apply follows from `method_type`."""

    name: Name
    method_type: MethodType
    description: Description = ""
    is_active: bool = True
    algorithm: Algorithm | None = None
    expire_minutes: ExpireMinutes | None = None
    username: Line | None = None
    password: ConsumerPassword | None = None
    key_prefix: KeyPrefix | None = None

    def __repr__(self) -> str:
        return "MethodCreate(...)"


class MethodWithKeyCreate(Struct, frozen=True, kw_only=True):
    name: Name
    method_type: MethodType = MethodType.API_KEY
    description: Description = ""
    is_active: bool = True
    key_prefix: KeyPrefix | None = None


class MethodUpdate(Struct, frozen=True, kw_only=True):
    name: Name | UnsetType = UNSET
    method_type: MethodType | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    algorithm: Algorithm | UnsetType | None = UNSET
    expire_minutes: ExpireMinutes | UnsetType | None = UNSET
    username: Line | UnsetType | None = UNSET
    password: ConsumerPassword | UnsetType | None = UNSET
    key_prefix: KeyPrefix | UnsetType | None = UNSET

    def __repr__(self) -> str:
        return "MethodUpdate(...)"


class MethodView(Struct, frozen=True, kw_only=True):
    """Null where a field does not apply to the type; never a secret, a hash or the stored form of one."""

    id: RowIdText
    name: str
    description: str
    method_type: MethodType
    is_active: bool
    algorithm: str | None
    expire_minutes: int | None
    username: str | None
    key_prefix: str | None
    created_at: datetime
    updated_at: datetime


class MethodWithKeyAnswer(Struct, frozen=True, kw_only=True):
    id: RowIdText
    api_key: str
    note: str


class IssueToken(Struct, frozen=True, kw_only=True):
    """Without a consumer the token is for one named as the method."""

    consumer: Line | None = None


class TokenAnswer(Struct, frozen=True, kw_only=True):
    token: str
    token_type: str
    expires_at: datetime
    note: str


class RotateAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`message` for bearer, `api_key` and `note` for api_key."""

    message: str | UnsetType = UNSET
    api_key: str | UnsetType = UNSET
    note: str | UnsetType = UNSET


def method_view(row: AuthMethod) -> MethodView:
    """What is shown of an auth method."""
    return MethodView(
        id=row.id,
        name=row.name,
        description=row.description,
        method_type=MethodType(row.method_type),
        is_active=row.is_active,
        algorithm=row.algorithm,
        expire_minutes=row.expire_minutes,
        username=row.username,
        key_prefix=row.key_prefix,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
