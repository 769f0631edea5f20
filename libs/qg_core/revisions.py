"""What a revision is made of: deltas, checkpoints, the beacon, and the map of digests they lead to."""

import msgspec

from qg_core.specs import SpecKind

CHECKPOINT_EVERY_REVISIONS = 64
DELTA_CONTEXT = "querygateway/delta/1"
CHECKPOINT_CONTEXT = "querygateway/checkpoint/1"
BEACON_CONTEXT = "querygateway/beacon/1"
"""What a signature speaks about: bound into the signed bytes, so that one kind can't be passed off as another."""


class SubjectKey(msgspec.Struct, frozen=True, order=True, array_like=True):
    """Names one subject of the catalog.

    `kind` is a plain string: a later release may publish kinds that this one doesn't know.
    """

    kind: str
    id: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One subject's new digest, or its removal (`digest` null)."""

    kind: str
    id: str
    digest: str | None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a checkpoint."""

    kind: str
    id: str
    digest: str


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """The change from revision `previous` to `revision`; `previous` is `revision - 1` but after a gap.

    `issued_at` is Unix seconds.
    """

    gateway_id: str
    revision: int
    previous: int
    issued_at: float
    changes: tuple[Change, ...]


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is published at `revision`, sorted by kind and id. `issued_at` is Unix seconds."""

    gateway_id: str
    revision: int
    issued_at: float
    entries: tuple[Entry, ...]


class Beacon(msgspec.Struct, frozen=True, kw_only=True):
    """The control plane is alive and `head` is its newest revision. `issued_at` is Unix seconds."""

    gateway_id: str
    head: int
    issued_at: float


class ChainBroken(ValueError):
    """A delta does not follow the state it was to be applied to."""


class Manifest(msgspec.Struct, frozen=True):
    """The state that a revision leads to: `(kind, id) -> digest`. Never changed in place."""

    revision: int
    digests: dict[SubjectKey, str]

    def digest(self, kind: SpecKind, subject_id: str) -> str | None:
        return self.digests.get(SubjectKey(kind.value, subject_id))


EMPTY_MANIFEST = Manifest(0, {})


def manifest_of(checkpoint: Checkpoint) -> Manifest:
    """The state of a verified checkpoint."""
    return Manifest(
        checkpoint.revision, {SubjectKey(entry.kind, entry.id): entry.digest for entry in checkpoint.entries}
    )


def apply_deltas(manifest: Manifest, deltas: list[Delta]) -> Manifest:
    """The state after verified deltas in order; copies the map once. Raises `ChainBroken`."""
    digests = dict(manifest.digests)
    revision = manifest.revision
    for delta in deltas:
        if delta.previous != revision or delta.revision <= delta.previous:
            raise ChainBroken(f"delta {delta.revision} follows {delta.previous}, not {revision}")
        for change in delta.changes:
            key = SubjectKey(change.kind, change.id)
            if change.digest is None:
                digests.pop(key, None)
            else:
                digests[key] = change.digest
        revision = delta.revision
    return Manifest(revision, digests)


def checkpoint_of(manifest: Manifest, gateway_id: str, issued_at: float) -> Checkpoint:
    """The checkpoint of a state, entries sorted."""
    entries = tuple(Entry(kind=key.kind, id=key.id, digest=digest) for key, digest in sorted(manifest.digests.items()))
    return Checkpoint(gateway_id=gateway_id, revision=manifest.revision, issued_at=issued_at, entries=entries)
