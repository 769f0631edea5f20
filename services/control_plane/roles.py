"""What admins may do: a viewer reads, an editor writes definitions, an admin everything."""

import enum

from qg_core.errors import Forbidden


class Role(enum.StrEnum):
    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"


_RANK = {Role.VIEWER: 1, Role.EDITOR: 2, Role.ADMIN: 3}


def may(held: str, needed: Role) -> bool:
    """Whether someone of role `held` may do what needs `needed`; an unknown role may nothing."""
    return held in _RANK and _RANK[Role(held)] >= _RANK[needed]


def require(held: str, needed: Role, what: str) -> None:
    """Raise `Forbidden` saying that `what` needs the role."""
    if not may(held, needed):
        raise Forbidden(f"{what} needs the role {needed.value}.")
