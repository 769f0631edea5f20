"""What statements may ask about a session: its identity, tags and rights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class User:
    """A database account. Passwords are kept only as verifiers, elsewhere."""

    name: str
    can_write: bool = False

    @property
    def system_privileges(self) -> tuple[str, ...]:
        writing = ("CREATE TABLE", "INSERT ANY TABLE", "UPDATE ANY TABLE", "DELETE ANY TABLE")
        return ("CREATE SESSION", *(writing if self.can_write else ()))

    @property
    def object_privileges(self) -> tuple[str, ...]:
        return ("SELECT", "INSERT", "UPDATE", "DELETE") if self.can_write else ("SELECT",)


ACTIVE, INACTIVE = "ACTIVE", "INACTIVE"


@dataclass(slots=True)
class SessionView:
    """One live session as V$SESSION shows it."""

    sid: int
    serial: int
    user: User
    service_name: str
    tags: dict[str, str] = field(default_factory=dict)
    status: str = INACTIVE

    def tag(self, name: str) -> str | None:
        return self.tags.get(name) or None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the dictionary answers from: this session, all sessions and the schema."""

    session: SessionView
    all_sessions: Callable[[], list[SessionView]]
    table_names: Callable[[], list[str]]
    version_text: str
