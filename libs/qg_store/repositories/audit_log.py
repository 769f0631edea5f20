"""The audit log: add and read, nothing else (the role allows no more)."""

from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import AuditEntry


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What to show; null means any. `before_id` continues after the entry of that id."""

    since: datetime | None = None
    until: datetime | None = None
    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    request_id: str | None = None
    before_id: int | None = None


async def add(session: AsyncSession, entry: AuditEntry) -> None:
    """One entry outside a publishing change (sign-ins, previews, tests)."""
    session.add(entry)
    await session.flush()


async def page(session: AsyncSession, wanted: AuditFilter, limit: int) -> list[AuditEntry]:
    """Newest first, at most `limit`. Ids rise with time closely enough, and make a stable cursor."""
    statement = select(AuditEntry).where(*_conditions(wanted)).order_by(AuditEntry.id.desc()).limit(limit)
    return list((await session.execute(statement)).scalars())


def _conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        found.append(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        found.append(AuditEntry.at < wanted.until)
    if wanted.actor is not None:
        found.append(AuditEntry.actor == wanted.actor)
    if wanted.action is not None:
        found.append(AuditEntry.action == wanted.action)
    if wanted.subject is not None:
        kind, _, subject_id = wanted.subject.partition(":")
        if subject_id:
            found += [AuditEntry.subject_kind == kind, AuditEntry.subject_id == subject_id]
        else:
            found.append((AuditEntry.subject_id == wanted.subject) | (AuditEntry.subject_kind == wanted.subject))
    if wanted.request_id is not None:
        found.append(AuditEntry.request_id == wanted.request_id)
    if wanted.before_id is not None:
        found.append(AuditEntry.id < wanted.before_id)
    return found
