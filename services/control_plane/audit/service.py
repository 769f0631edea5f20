"""Pages of the audit log."""

from datetime import datetime

from qg_store.engine import SessionFactory
from qg_store.models import AuditEntry
from qg_store.repositories import audit_log
from qg_store.repositories.audit_log import AuditFilter


class AuditLog:
    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    async def page(
        self,
        *,
        since: datetime | None,
        until: datetime | None,
        actor: str | None,
        action: str | None,
        subject: str | None,
        request_id: str | None,
        before_id: int | None,
        limit: int,
    ) -> tuple[list[AuditEntry], bool]:
        """At most `limit` entries, newest first, and whether there are more."""
        wanted = AuditFilter(
            since=since,
            until=until,
            actor=actor,
            action=action,
            subject=subject,
            request_id=request_id,
            before_id=before_id,
        )
        async with self._sessions() as session:
            entries = await audit_log.page(session, wanted, limit + 1)
        return entries[:limit], len(entries) > limit
