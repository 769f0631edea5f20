"""What is signed, sealed into bytes and opened again: deltas, checkpoints and beacons.

An envelope is msgpack `[context, gateway id, payload, [key id, signature]]`; the payload is JSON. The signature covers
context, gateway id and payload (`qg_core.signatures`), and the gateway id and revision are also inside the payload, so
that nothing of another kind, another gateway or another place is taken for this one.
"""

from typing import Generic, TypeVar

import msgspec

from qg_bundle.limits import BEACON_BYTES_MAX, CHECKPOINT_BYTES_MAX, DELTA_BYTES_MAX, REVISION_MAX
from qg_bundle.rejections import BundleRejected, Reason
from qg_core.revisions import BEACON_CONTEXT, CHECKPOINT_CONTEXT, DELTA_CONTEXT, Beacon, Checkpoint, Delta
from qg_core.signatures import Signature, SignatureInvalid, Signer, Verifier

SignedT = TypeVar("SignedT", Delta, Checkpoint, Beacon)


class Envelope(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A payload and who signed it as what."""

    context: str
    gateway_id: str
    payload: bytes
    signature: Signature


class Sealed(msgspec.Struct, Generic[SignedT], frozen=True):
    """A verified value and the very bytes that were verified, to be stored and checked again later."""

    value: SignedT
    body: bytes


class _Kind(msgspec.Struct, Generic[SignedT], frozen=True):
    context: str
    value_type: type[SignedT]
    bytes_max: int


_DELTA = _Kind(DELTA_CONTEXT, Delta, DELTA_BYTES_MAX)
_CHECKPOINT = _Kind(CHECKPOINT_CONTEXT, Checkpoint, CHECKPOINT_BYTES_MAX)
_BEACON = _Kind(BEACON_CONTEXT, Beacon, BEACON_BYTES_MAX)

_envelope_decoder = msgspec.msgpack.Decoder(Envelope)
_encode_envelope = msgspec.msgpack.Encoder().encode
_encode_payload = msgspec.json.Encoder().encode


class TooLarge(ValueError):
    """What was to be published is larger than any node would take."""


def seal_delta(signer: Signer, delta: Delta) -> bytes:
    """Sign and encode a delta. Raises `TooLarge`."""
    return _seal(signer, _DELTA, delta)


def seal_checkpoint(signer: Signer, checkpoint: Checkpoint) -> bytes:
    """Sign and encode a checkpoint. Raises `TooLarge`."""
    return _seal(signer, _CHECKPOINT, checkpoint)


def seal_beacon(signer: Signer, beacon: Beacon) -> bytes:
    """Sign and encode a beacon."""
    return _seal(signer, _BEACON, beacon)


def open_delta(verifier: Verifier, gateway_id: str, body: bytes, revision: int) -> Sealed[Delta]:
    """The delta that leads to `revision`. Raises `BundleRejected`."""
    delta = _open(verifier, _DELTA, gateway_id, body)
    _expect_revision("delta", delta.revision, revision)
    if not 0 <= delta.previous < delta.revision:
        raise BundleRejected(Reason.CHAIN_BROKEN, f"delta {delta.revision} claims to follow {delta.previous}")
    return Sealed(delta, body)


def open_checkpoint(verifier: Verifier, gateway_id: str, body: bytes, revision: int) -> Sealed[Checkpoint]:
    """The checkpoint of `revision`. Raises `BundleRejected`."""
    checkpoint = _open(verifier, _CHECKPOINT, gateway_id, body)
    _expect_revision("checkpoint", checkpoint.revision, revision)
    return Sealed(checkpoint, body)


def own_checkpoint(body: bytes) -> Checkpoint:
    """A checkpoint out of the control plane's own database, unverified: a key that signed it may be retired by now."""
    return msgspec.json.decode(_envelope_decoder.decode(body).payload, type=Checkpoint)


def signed_by(body: bytes) -> str:
    """The id of the key that an envelope says it was signed with, unverified."""
    return _envelope_decoder.decode(body).signature.key_id


def open_beacon(verifier: Verifier, gateway_id: str, body: bytes) -> Sealed[Beacon]:
    """The beacon. Raises `BundleRejected`; how old it may be is the caller's business."""
    beacon = _open(verifier, _BEACON, gateway_id, body)
    if not 0 <= beacon.head <= REVISION_MAX:
        raise BundleRejected(Reason.MALFORMED, f"beacon names head {beacon.head}")
    return Sealed(beacon, body)


def _seal(signer: Signer, kind: _Kind[SignedT], value: SignedT) -> bytes:
    payload = _encode_payload(value)
    signature = signer.sign(kind.context, value.gateway_id, payload)
    body = _encode_envelope(Envelope(kind.context, value.gateway_id, payload, signature))
    if len(body) > kind.bytes_max:
        raise TooLarge(f"a {kind.value_type.__name__.lower()} of {len(body)} bytes; at most {kind.bytes_max} fit")
    return body


def _open(verifier: Verifier, kind: _Kind[SignedT], gateway_id: str, body: bytes) -> SignedT:
    name = kind.value_type.__name__.lower()
    if len(body) > kind.bytes_max:
        raise BundleRejected(Reason.TOO_LARGE, f"the {name} is larger than {kind.bytes_max} bytes")
    try:
        envelope = _envelope_decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BundleRejected(Reason.MALFORMED, f"the {name} is no envelope") from error
    if envelope.context != kind.context:
        raise BundleRejected(Reason.OTHER_CONTEXT, f"signed as something else than a {name}")
    if envelope.gateway_id != gateway_id:
        raise BundleRejected(Reason.OTHER_GATEWAY, f"the {name} is another gateway's")
    try:
        # With this gateway's own id: what the envelope says of itself proves nothing.
        verifier.verify(kind.context, gateway_id, envelope.payload, envelope.signature)
    except SignatureInvalid as error:
        raise BundleRejected(Reason.SIGNATURE_INVALID, f"the {name}: {error}") from error
    try:
        value = msgspec.json.decode(envelope.payload, type=kind.value_type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BundleRejected(Reason.MALFORMED, f"the {name} is signed but not understood") from error
    if value.gateway_id != gateway_id:
        raise BundleRejected(Reason.OTHER_GATEWAY, f"the {name} is another gateway's")
    return value


def _expect_revision(name: str, found: int, wanted: int) -> None:
    if found != wanted or not 0 <= found <= REVISION_MAX:
        raise BundleRejected(Reason.OTHER_REVISION, f"{name} {found} is stored as that of revision {wanted}")
