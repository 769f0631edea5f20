"""What is published, under other keys: sealed and signed again, as ordinary revisions.

A rotation (`control_plane.rotation`) does it on purpose; `upkeep` only where nodes could not go on otherwise.
"""

from collections.abc import Sequence

from control_plane.actors import SYSTEM
from control_plane.publishing.compiler import Compiler
from control_plane.publishing.seals import Seals
from control_plane.publishing.service import Publishing
from qg_bundle.envelope import signed_by
from qg_core.revisions import CHECKPOINT_EVERY_REVISIONS, SubjectKey
from qg_core.signatures import Signer
from qg_store.engine import SessionFactory
from qg_store.repositories import publishing as ledger

ACTION = "rotate_keys"
"""As the audit log has it."""

SUBJECTS_PER_REVISION_MAX = 500
"""Other writers wait for the publish lock meanwhile: some tenths of a second."""


class Renewal:
    """Each call raises what SQLAlchemy raises."""

    def __init__(self, sessions: SessionFactory, publishing: Publishing, compiler: Compiler, signer: Signer) -> None:
        self._sessions = sessions
        self._publishing = publishing
        self._compiler = compiler
        self._signer = signer

    async def seals(self) -> Seals:
        """How the secrets of everything that is published are sealed."""
        async with self._sessions() as session:
            return await self._compiler.seals(session)

    async def reseal(self, subjects: Sequence[SubjectKey]) -> int:
        """Publish these subjects again with their secrets under the newest key, in one revision; how many.

        Those that are under it already, and those that no key of ours opens, are left out. At most
        `SUBJECTS_PER_REVISION_MAX`.
        """
        chosen = subjects[:SUBJECTS_PER_REVISION_MAX]
        return await self._publishing.republish(
            lambda session: self._compiler.resealed(session, chosen),
            "Sealed the secrets of published specs under the newest key.",
            audit=ACTION,
        )

    async def reseal_unopened(self) -> int:
        """Publish from their rows what opens under none of our keys, so that no node could use it; how many subjects.

        What an older key of ours has sealed is left to a rotation: nodes open it, and may not know the newest key yet.
        Raises what `Publishing.change` raises, and `SealBroken` when the secret of a row opens under none of its keys.
        """
        subjects = (await self.seals()).unopened
        for start in range(0, len(subjects), SUBJECTS_PER_REVISION_MAX):
            batch = subjects[start : start + SUBJECTS_PER_REVISION_MAX]
            async with self._publishing.change(SYSTEM) as change:
                change.touched.update(batch)
                change.audit(ACTION, "gateway", None, f"Sealed {len(batch)} specs anew that no node could open.")
        return len(subjects)

    async def signed_otherwise(self) -> int:
        """How many of the signed parts that a node without memory needs were signed with another key than ours.

        Those are the newest checkpoint and the deltas since; another control plane may have signed any of them.
        """
        async with self._sessions() as session:
            head = (await ledger.heads(session)).head
            newest = await ledger.newest_checkpoint(session, head)
            if newest is None:
                return 0
            since = await ledger.deltas(session, newest.revision, head, CHECKPOINT_EVERY_REVISIONS)
        return sum(signed_by(row.body) != self._signer.key_id for row in (newest, *since))

    async def resign(self) -> int | None:
        """Take a revision with a checkpoint where a node needs parts that another key signed; which, null if not due.

        From it on, nodes and new control planes need the newest key alone.
        """
        if not await self.signed_otherwise():
            return None
        return await self._publishing.take_empty("Signed anew, with another key.", lambda head: head + 1, audit=ACTION)
