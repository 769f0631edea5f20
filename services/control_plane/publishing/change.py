"""One write in progress: what it touches and what the audit log will say of it."""

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.actors import Actor
from qg_core.revisions import SubjectKey
from qg_core.specs import SpecKind

SUMMARY_LENGTH_MAX = 500
AUDIT_SUMMARY_LENGTH_MAX = 2_000


class AuditLine(msgspec.Struct, frozen=True):
    """One entry of the audit log to be, without actor, time and revision."""

    action: str
    subject_kind: str
    subject_id: str | None
    summary: str


class Change:
    """Handed out by `Publishing.change`. `session` is inside the one transaction; nobody else commits it.

    After the `async with` block `revision` is the revision that was taken, or the head when nothing published changed.
    """

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self.revision = 0
        self.touched: set[SubjectKey] = set()
        self.recheck_statements_of: set[str] = set()
        self.audit_lines: list[AuditLine] = []

    def touch(self, kind: SpecKind, subject_id: str, *, recheck_statements: bool = False) -> None:
        """A row was saved, deactivated, revoked or deleted: it is compiled again when the block ends.

        `recheck_statements` (connections): the allowed functions shrank, so the statements of all its endpoints are
        checked again. A method that appears or disappears takes its credentials along by itself.
        """
        self.touched.add(SubjectKey(kind.value, subject_id))
        if recheck_statements:
            self.recheck_statements_of.add(subject_id)

    def audit(self, action: str, subject_kind: str, subject_id: str | None, summary: str) -> None:
        """Say who did what; never a secret. Written in the same transaction."""
        self.audit_lines.append(AuditLine(action, subject_kind, subject_id, summary[:AUDIT_SUMMARY_LENGTH_MAX]))

    @property
    def summary(self) -> str:
        """What the revision's line says: the audit summaries, cut."""
        return "; ".join(line.summary for line in self.audit_lines)[:SUMMARY_LENGTH_MAX]
