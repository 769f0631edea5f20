"""Verifying what a node remembered on disk: as strictly as what comes from Redis."""

from data_plane.refreshing.catch_up import Step
from data_plane.refreshing.state_file import Remembered
from qg_bundle.envelope import Sealed, open_checkpoint, open_delta
from qg_bundle.rejections import BundleRejected, Reason
from qg_core.revisions import Delta, apply_deltas, manifest_of
from qg_core.signatures import Verifier


def verified_step(remembered: Remembered, verifier: Verifier, gateway_id: str, at_least: int) -> Step:
    """The remembered state without spec bytes. Raises `BundleRejected`, also when it is below `at_least`.

    The chain is followed as far as it verifies: a damaged tail costs what it says, unless that was served already.
    """
    if remembered.checkpoint is None:
        raise BundleRejected(Reason.MISSING, "no checkpoint is remembered")
    revision, body = remembered.checkpoint
    checkpoint = open_checkpoint(verifier, gateway_id, body, revision)
    revision = checkpoint.value.revision
    deltas: list[Sealed[Delta]] = []
    held_up: BundleRejected | None = None
    for number, delta_body in remembered.deltas:
        try:
            sealed = open_delta(verifier, gateway_id, delta_body, number)
        except BundleRejected as rejected:
            held_up = rejected
            break
        if sealed.value.previous != revision:
            held_up = BundleRejected(Reason.CHAIN_BROKEN, f"remembered delta {number} does not follow {revision}")
            break
        revision = number
        deltas.append(sealed)
    if revision < at_least:
        raise held_up or BundleRejected(Reason.OLDER, f"remembered {revision}, served {at_least} before")
    return Step(
        manifest=apply_deltas(manifest_of(checkpoint.value), [sealed.value for sealed in deltas]),
        checkpoint=checkpoint,
        deltas=deltas,
        bodies={},
        issued_at=deltas[-1].value.issued_at if deltas else checkpoint.value.issued_at,
        held_up=held_up,
    )
