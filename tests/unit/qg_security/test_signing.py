"""A signature speaks about exactly one context, gateway and payload, under a key that is trusted."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qg_core.signatures import Signature, SignatureInvalid
from qg_security.keys import KeyInvalid
from qg_security.signing import Ed25519Signer, Ed25519Verifier, generate_signing_key, signed_bytes

PRIVATE, PUBLIC = generate_signing_key()


def test_what_was_signed_verifies() -> None:
    signature = Ed25519Signer(PRIVATE).sign("querygateway/delta/1", "gw-1", b"payload")
    Ed25519Verifier([PUBLIC]).verify("querygateway/delta/1", "gw-1", b"payload", signature)
    assert Ed25519Signer(PRIVATE).public_key == PUBLIC
    assert Ed25519Verifier([PUBLIC]).key_ids == (signature.key_id,)


@pytest.mark.parametrize(
    ("context", "gateway_id", "payload"),
    [
        ("querygateway/beacon/1", "gw-1", b"payload"),
        ("querygateway/delta/1", "gw-2", b"payload"),
        ("querygateway/delta/1", "gw-1", b"Payload"),
        ("querygateway/delta/1gw", "-1", b"payload"),
        ("querygateway/delta/1", "gw-1p", b"ayload"),
    ],
)
def test_anything_else_does_not(context: str, gateway_id: str, payload: bytes) -> None:
    signature = Ed25519Signer(PRIVATE).sign("querygateway/delta/1", "gw-1", b"payload")
    with pytest.raises(SignatureInvalid):
        Ed25519Verifier([PUBLIC]).verify(context, gateway_id, payload, signature)


def test_a_key_that_is_not_trusted_is_refused_also_under_a_trusted_name() -> None:
    other = Ed25519Signer(generate_signing_key()[0])
    signature = other.sign("c", "g", b"p")
    verifier = Ed25519Verifier([PUBLIC])
    with pytest.raises(SignatureInvalid, match="not trusted"):
        verifier.verify("c", "g", b"p", signature)
    with pytest.raises(SignatureInvalid, match="not match"):
        verifier.verify("c", "g", b"p", Signature(verifier.key_ids[0], signature.value))


def test_several_keys_may_be_trusted_during_a_rotation() -> None:
    private, public = generate_signing_key()
    verifier = Ed25519Verifier([PUBLIC, public])
    for key in (PRIVATE, private):
        verifier.verify("c", "g", b"p", Ed25519Signer(key).sign("c", "g", b"p"))


@given(st.text(max_size=20), st.binary(max_size=80))
def test_a_malformed_signature_is_invalid_and_nothing_worse(key_id: str, value: bytes) -> None:
    verifier = Ed25519Verifier([PUBLIC])
    for name in (key_id, verifier.key_ids[0]):
        with pytest.raises(SignatureInvalid):
            verifier.verify("c", "g", b"p", Signature(name, value))


@given(st.tuples(st.text(), st.text(), st.binary()), st.tuples(st.text(), st.text(), st.binary()))
def test_different_parts_give_different_signed_bytes(one: tuple[str, str, bytes], two: tuple[str, str, bytes]) -> None:
    assert (signed_bytes(*one) == signed_bytes(*two)) == (one == two)


@pytest.mark.parametrize(
    "text", ["", "x", "ä", base64.b64encode(b"1" * 31).decode(), base64.b64encode(b"1" * 33).decode()]
)
def test_bad_keys_are_refused(text: str) -> None:
    with pytest.raises(KeyInvalid, match="32 bytes"):
        Ed25519Signer(text)
    with pytest.raises(KeyInvalid):
        Ed25519Verifier([PUBLIC, text])


def test_no_trusted_key_at_all_is_refused() -> None:
    with pytest.raises(KeyInvalid):
        Ed25519Verifier([])


def test_the_repr_hides_the_private_key() -> None:
    assert PRIVATE not in repr(Ed25519Signer(PRIVATE))
