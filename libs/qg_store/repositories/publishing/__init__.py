"""What is published: spec bytes, the head's manifest, revisions with their signed deltas, checkpoints.

Statements only; the caller holds the lock that a function names and commits.
"""

from qg_store.repositories.publishing.changes import (
    add_revision,
    apply_changes,
    definitions_at,
    delta_sizes,
    deltas,
    digests_changed,
    revision_exists,
)
from qg_store.repositories.publishing.checkpoints import (
    CheckpointMark,
    add_checkpoint,
    checkpoint,
    checkpoint_marks,
    drop_checkpoints,
    newest_checkpoint,
    newest_checkpoint_mark,
)
from qg_store.repositories.publishing.head import (
    ACTIVATION_IDLE_MAX_S,
    ACTIVATION_LOCK,
    PUBLISH_LOCK,
    Heads,
    heads,
    lock_activation,
    lock_publishing,
    mark_activated,
    take_head,
)
from qg_store.repositories.publishing.sealed import SealedRow
from qg_store.repositories.publishing.spec_bytes import (
    SpecRow,
    manifest,
    published,
    published_credentials,
    spec_sizes,
    specs,
    store_specs,
)
from qg_store.repositories.publishing.superseded import strip_superseded, superseded_with_secrets

__all__ = [
    "ACTIVATION_IDLE_MAX_S",
    "ACTIVATION_LOCK",
    "PUBLISH_LOCK",
    "CheckpointMark",
    "Heads",
    "SealedRow",
    "SpecRow",
    "add_checkpoint",
    "add_revision",
    "apply_changes",
    "checkpoint",
    "checkpoint_marks",
    "definitions_at",
    "delta_sizes",
    "deltas",
    "digests_changed",
    "drop_checkpoints",
    "heads",
    "lock_activation",
    "lock_publishing",
    "manifest",
    "mark_activated",
    "newest_checkpoint",
    "newest_checkpoint_mark",
    "published",
    "published_credentials",
    "revision_exists",
    "spec_sizes",
    "specs",
    "store_specs",
    "strip_superseded",
    "superseded_with_secrets",
    "take_head",
]
