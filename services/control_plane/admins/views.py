"""What the admin routes read and answer."""

from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from control_plane.input.kinds import Line, RowIdText
from control_plane.roles import Role
from qg_security.passwords import ADMIN_PASSWORD_CHARACTERS_MIN, PASSWORD_BYTES_MAX
from qg_store.models import Admin

Password = Annotated[
    str,
    Meta(
        min_length=ADMIN_PASSWORD_CHARACTERS_MIN,
        max_length=PASSWORD_BYTES_MAX,
        description=f"{ADMIN_PASSWORD_CHARACTERS_MIN} to {PASSWORD_BYTES_MAX} bytes in UTF-8.",
    ),
]


class AdminCreate(Struct, frozen=True, kw_only=True):
    username: Line
    password: Password
    role: Role = Role.VIEWER

    def __repr__(self) -> str:
        return "AdminCreate(...)"


class AdminUpdate(Struct, frozen=True, kw_only=True):
    password: Password | UnsetType = UNSET
    role: Role | UnsetType = UNSET

    def __repr__(self) -> str:
        return "AdminUpdate(...)"


class AdminView(Struct, frozen=True, kw_only=True):
    id: RowIdText
    username: str
    role: Role
    created_at: datetime
    updated_at: datetime


def admin_view(admin: Admin) -> AdminView:
    """What is shown of an admin."""
    return AdminView(
        id=admin.id,
        username=admin.username,
        role=Role(admin.role),
        created_at=admin.created_at,
        updated_at=admin.updated_at,
    )
