"""The signed parts that lead to what is served, as the disk holds them: one checkpoint and the deltas after it."""

from data_plane.refreshing.catch_up import Step
from data_plane.refreshing.state_file import Update
from qg_bundle.envelope import Sealed, signed_by
from qg_core.revisions import Checkpoint, Delta, Manifest, SubjectKey

DELTAS_MAX = 256
"""A longer chain is shortened with the newest checkpoint when Redis has one."""


class Chain:
    """Keeps the deltas' bytes since the checkpoint; what to write to disk is derived from it."""

    def __init__(self) -> None:
        self._base: int | None = None
        self._signed_by = ""
        self._deltas: list[Sealed[Delta]] = []

    @property
    def too_long(self) -> bool:
        """Whether it should be shortened."""
        return len(self._deltas) > DELTAS_MAX

    @property
    def base(self) -> int:
        """The revision of its checkpoint; 0 before there is one."""
        return self._base or 0

    @property
    def signed_by(self) -> str:
        """The id of the key that signed its checkpoint; empty before there is one."""
        return self._signed_by

    def follow(self, step: Step, before: Manifest | None) -> Update:
        """Take a step; what the disk must hold for it."""
        named = frozenset(step.manifest.digests.values()) if step.checkpoint is not None else None
        if step.checkpoint is not None:
            self._base = step.checkpoint.value.revision
            self._signed_by = signed_by(step.checkpoint.body)
            self._deltas = list(step.deltas)
        else:
            self._deltas += step.deltas
        return Update(
            revision=step.manifest.revision,
            checkpoint=_part(step.checkpoint) if step.checkpoint is not None else None,
            deltas=tuple(_part(sealed) for sealed in step.deltas),
            specs=step.bodies,
            dropped=_dropped(step, before),
            kept=named,
        )

    def shorten(self, checkpoint: Sealed[Checkpoint], served: Manifest) -> Update | None:
        """The same state from a verified checkpoint that is not older; null when that is not on the way here."""
        revision = checkpoint.value.revision
        if self._base is None or not self._base <= revision <= served.revision:
            return None
        after = [sealed for sealed in self._deltas if sealed.value.revision > revision]
        expected = after[0].value.previous if after else served.revision
        if expected != revision:
            return None
        self._base, self._deltas = revision, after
        self._signed_by = signed_by(checkpoint.body)
        return Update(
            revision=served.revision,
            checkpoint=_part(checkpoint),
            deltas=tuple(_part(sealed) for sealed in after),
            specs={},
            dropped=(),
            kept=frozenset(served.digests.values()),
        )


def _part(sealed: Sealed[Delta] | Sealed[Checkpoint]) -> tuple[int, bytes]:
    return sealed.value.revision, sealed.body


def _dropped(step: Step, before: Manifest | None) -> tuple[str, ...]:
    if before is None or step.checkpoint is not None:
        return ()
    keys = {SubjectKey(change.kind, change.id) for sealed in step.deltas for change in sealed.value.changes}
    old = {key: before.digests.get(key) for key in keys}
    return tuple(
        digest for key, digest in old.items() if digest is not None and step.manifest.digests.get(key) != digest
    )
