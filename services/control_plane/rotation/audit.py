"""What a rotation leaves in the audit log: one entry with each batch, in the same transaction."""

from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.actors import SYSTEM
from control_plane.publishing.renewal import ACTION
from qg_store.models import AuditEntry
from qg_store.repositories import audit_log

SUBJECT_KIND = "gateway"


async def note(session: AsyncSession, summary: str) -> None:
    """Say what this transaction did; never with a key in it."""
    await audit_log.add(
        session, AuditEntry(actor=SYSTEM.username, action=ACTION, subject_kind=SUBJECT_KIND, summary=summary)
    )
