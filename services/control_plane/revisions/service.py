"""Revisions as admins see them: what changed in one, what differs between two. Secrets are only said to differ."""

from collections.abc import Sequence
from typing import Any

import msgspec

from qg_core.errors import NotFound
from qg_core.revisions import SubjectKey
from qg_core.specs import Spec, SpecUnreadable, decode_spec
from qg_store.engine import SessionFactory
from qg_store.models import Revision, RevisionChange
from qg_store.repositories import revisions

CHANGES_SHOWN_MAX = 1_000
SUBJECTS_COMPARED_MAX = 500

_SECRET_FIELD = "sealed"  # noqa: S105 - the name of a field


class FieldDifference(msgspec.Struct, frozen=True):
    """One field that differs; `before` and `after` are null for a secret."""

    field: str
    before: Any
    after: Any


class SubjectDifference(msgspec.Struct, frozen=True):
    """One subject that differs: `change` is added, removed or changed."""

    kind: str
    id: str
    name: str | None
    change: str
    fields: tuple[FieldDifference, ...]


class Comparison(msgspec.Struct, frozen=True):
    """What differs from one revision to another; `truncated` when there is more than is shown."""

    from_revision: int
    to_revision: int
    differences: tuple[SubjectDifference, ...]
    truncated: bool


class Revisions:
    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    async def page(self, before: int | None, limit: int) -> list[Revision]:
        """Newest first."""
        async with self._sessions() as session:
            return await revisions.page(session, before, limit)

    async def one(self, number: int) -> tuple[Revision, Sequence[RevisionChange]]:
        """A revision and what it changed. Raises `NotFound`."""
        async with self._sessions() as session:
            row = await revisions.by_number(session, number)
            if row is None:
                raise NotFound(f"There is no revision {number}.")
            return row, await revisions.changes(session, number, CHANGES_SHOWN_MAX)

    async def compare(self, first: int, second: int) -> Comparison:
        """What differs from `first` to `second`, whichever is older. Raises `NotFound`."""
        async with self._sessions() as session:
            for number in (first, second):
                if await revisions.by_number(session, number) is None:
                    raise NotFound(f"There is no revision {number}.")
            touched = await revisions.touched_between(session, min(first, second), max(first, second))
            shown = touched[:SUBJECTS_COMPARED_MAX]
            before = await revisions.digests_at(session, first, shown)
            after = await revisions.digests_at(session, second, shown)
            differing = [key for key in shown if before.get(key) != after.get(key)]
            wanted = {side[key] for side in (before, after) for key in differing if key in side}
            bodies = await revisions.bodies(session, wanted)
        found = tuple(
            _difference(key, bodies.get(before.get(key, "")), bodies.get(after.get(key, ""))) for key in differing
        )
        return Comparison(first, second, found, len(touched) > len(shown))


def _difference(key: SubjectKey, before: bytes | None, after: bytes | None) -> SubjectDifference:
    old, new = _readable(before), _readable(after)
    change = "changed" if before is not None and after is not None else "added" if before is None else "removed"
    named = new or old
    name = getattr(named, "name", None) or getattr(named, "consumer", None)
    return SubjectDifference(key.kind, key.id, name, change, _fields(old, new))


def _fields(old: Spec | None, new: Spec | None) -> tuple[FieldDifference, ...]:
    before = msgspec.to_builtins(old) if old is not None else {}
    after = msgspec.to_builtins(new) if new is not None else {}
    found = []
    for field in sorted({*before, *after} - {"kind", "id"}):
        if before.get(field) == after.get(field):
            continue
        if field == _SECRET_FIELD:
            found.append(FieldDifference("secret", None, None))
        else:
            found.append(FieldDifference(field, before.get(field), after.get(field)))
    return tuple(found)


def _readable(body: bytes | None) -> Spec | None:
    """The spec, null when there is none or this release can't read it."""
    if body is None:
        return None
    try:
        return decode_spec(body)
    except SpecUnreadable:
        return None
