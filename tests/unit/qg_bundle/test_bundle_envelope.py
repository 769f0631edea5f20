"""Envelopes: what was signed opens, and nothing else does."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qg_bundle.envelope import (
    Envelope,
    open_beacon,
    open_checkpoint,
    open_delta,
    seal_beacon,
    seal_checkpoint,
    seal_delta,
)
from qg_bundle.limits import BEACON_BYTES_MAX
from qg_bundle.rejections import BundleRejected, Reason
from qg_core.revisions import (
    BEACON_CONTEXT,
    DELTA_CONTEXT,
    Beacon,
    ChainBroken,
    Change,
    Checkpoint,
    Delta,
    Entry,
    apply_deltas,
    manifest_of,
)
from qg_security.signing import Ed25519Signer, Ed25519Verifier, generate_signing_key

GATEWAY = "gw-test"
PRIVATE, PUBLIC = generate_signing_key()
SIGNER, VERIFIER = Ed25519Signer(PRIVATE), Ed25519Verifier([PUBLIC])

DELTA = Delta(
    gateway_id=GATEWAY,
    revision=7,
    previous=6,
    issued_at=1_000.5,
    changes=(Change(kind="endpoint", id="a", digest="0" * 64), Change(kind="credential", id="b", digest=None)),
)
CHECKPOINT = Checkpoint(
    gateway_id=GATEWAY, revision=7, issued_at=1.0, entries=(Entry(kind="endpoint", id="a", digest="1" * 64),)
)
BEACON = Beacon(gateway_id=GATEWAY, head=7, issued_at=1.0)


def reason_of(call: object, *args: object) -> Reason:
    with pytest.raises(BundleRejected) as raised:
        call(*args)  # type: ignore[operator]  # any of the open_ functions
    return raised.value.reason


def test_what_was_sealed_opens() -> None:
    body = seal_delta(SIGNER, DELTA)
    assert open_delta(VERIFIER, GATEWAY, body, 7).value == DELTA
    assert open_delta(VERIFIER, GATEWAY, body, 7).body == body
    assert open_checkpoint(VERIFIER, GATEWAY, seal_checkpoint(SIGNER, CHECKPOINT), 7).value == CHECKPOINT
    assert open_beacon(VERIFIER, GATEWAY, seal_beacon(SIGNER, BEACON)).value == BEACON
    assert len(body) < 600, "an ordinary delta is a few hundred bytes"


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_any_altered_bit_is_refused(position: int, bit: int) -> None:
    body = bytearray(seal_delta(SIGNER, DELTA))
    body[position % len(body)] ^= 1 << bit
    with pytest.raises(BundleRejected):
        open_delta(VERIFIER, GATEWAY, bytes(body), 7)


@given(st.binary(max_size=400))
def test_noise_is_refused(body: bytes) -> None:
    with pytest.raises(BundleRejected):
        open_delta(VERIFIER, GATEWAY, body, 7)


def test_another_gateway_is_refused() -> None:
    theirs = seal_delta(SIGNER, msgspec.structs.replace(DELTA, gateway_id="gw-other"))
    assert reason_of(open_delta, VERIFIER, GATEWAY, theirs, 7) is Reason.OTHER_GATEWAY
    envelope = msgspec.msgpack.decode(theirs, type=Envelope)
    relabelled = msgspec.msgpack.encode(msgspec.structs.replace(envelope, gateway_id=GATEWAY))
    assert reason_of(open_delta, VERIFIER, GATEWAY, relabelled, 7) is Reason.SIGNATURE_INVALID


def test_another_key_is_refused() -> None:
    other, _ = generate_signing_key()
    assert reason_of(open_delta, VERIFIER, GATEWAY, seal_delta(Ed25519Signer(other), DELTA), 7) is (
        Reason.SIGNATURE_INVALID
    )


def test_one_kind_is_not_taken_for_another() -> None:
    checkpoint = seal_checkpoint(SIGNER, CHECKPOINT)
    assert reason_of(open_delta, VERIFIER, GATEWAY, checkpoint, 7) is Reason.OTHER_CONTEXT
    envelope = msgspec.msgpack.decode(checkpoint, type=Envelope)
    relabelled = msgspec.msgpack.encode(msgspec.structs.replace(envelope, context=DELTA_CONTEXT))
    assert reason_of(open_delta, VERIFIER, GATEWAY, relabelled, 7) is Reason.SIGNATURE_INVALID


def test_another_revision_is_refused() -> None:
    assert reason_of(open_delta, VERIFIER, GATEWAY, seal_delta(SIGNER, DELTA), 8) is Reason.OTHER_REVISION
    assert reason_of(open_checkpoint, VERIFIER, GATEWAY, seal_checkpoint(SIGNER, CHECKPOINT), 8) is (
        Reason.OTHER_REVISION
    )


@pytest.mark.parametrize("previous", [7, 8, -1])
def test_a_delta_must_lead_forward(previous: int) -> None:
    body = seal_delta(SIGNER, msgspec.structs.replace(DELTA, previous=previous))
    assert reason_of(open_delta, VERIFIER, GATEWAY, body, 7) is Reason.CHAIN_BROKEN


def test_signed_but_not_understood_is_refused() -> None:
    payload = b'{"gateway_id": "gw-test", "head": "seven"}'
    body = msgspec.msgpack.encode(
        Envelope(BEACON_CONTEXT, GATEWAY, payload, SIGNER.sign(BEACON_CONTEXT, GATEWAY, payload))
    )
    assert reason_of(open_beacon, VERIFIER, GATEWAY, body) is Reason.MALFORMED


def test_too_large_is_refused_unread() -> None:
    assert reason_of(open_beacon, VERIFIER, GATEWAY, b"\x94" * (BEACON_BYTES_MAX + 1)) is Reason.TOO_LARGE


def test_deltas_apply_in_order_only() -> None:
    start = manifest_of(msgspec.structs.replace(CHECKPOINT, revision=6))
    after = apply_deltas(start, [DELTA])
    assert after.revision == 7
    assert start.revision == 6, "the state before is not changed"
    with pytest.raises(ChainBroken):
        apply_deltas(after, [DELTA])
