"""Pages of the access log."""

from qg_store.engine import SessionFactory
from qg_store.models import AccessEntry
from qg_store.repositories import access_log
from qg_store.repositories.access_log import AccessFilter


class AccessLog:
    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    async def page(self, wanted: AccessFilter, limit: int) -> tuple[list[AccessEntry], bool]:
        """At most `limit` entries, newest first, and whether there are more."""
        async with self._sessions() as session:
            entries = await access_log.page(session, wanted, limit + 1)
        return entries[:limit], len(entries) > limit
