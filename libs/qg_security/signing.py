"""Ed25519 signatures over a context, a gateway id and a payload (RFC 8032, through `cryptography`).

Keys are the base64 form of their 32 raw bytes. The three parts are length-prefixed before they are signed, so that no
two different triples give the same signed bytes.
"""

import base64
import hashlib
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from qg_core.signatures import Signature, SignatureInvalid
from qg_security.keys import KeyInvalid, raw_key_of

KEY_BYTES = 32
KEY_ID_LENGTH = 16


class Ed25519Signer:
    """Signs with one private key (`qg_core.signatures.Signer`). Raises `KeyInvalid`."""

    def __init__(self, private_key: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(raw_key_of(private_key, KEY_BYTES))
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key_id = key_id_of(public)
        self.public_key = base64.b64encode(public).decode("ascii")

    def __repr__(self) -> str:
        return f"Ed25519Signer(key_id={self.key_id!r})"

    def sign(self, context: str, gateway_id: str, payload: bytes) -> Signature:
        """Sign `payload` as `context` of `gateway_id`."""
        return Signature(self.key_id, self._key.sign(signed_bytes(context, gateway_id, payload)))


class Ed25519Verifier:
    """Verifies under any of several public keys (`qg_core.signatures.Verifier`). Raises `KeyInvalid`."""

    def __init__(self, public_keys: Sequence[str]) -> None:
        if not public_keys:
            raise KeyInvalid("at least one public key is needed")
        raw_keys = [raw_key_of(text, KEY_BYTES) for text in public_keys]
        self._keys = {key_id_of(raw): Ed25519PublicKey.from_public_bytes(raw) for raw in raw_keys}

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the trusted keys, in the order given."""
        return tuple(self._keys)

    def verify(self, context: str, gateway_id: str, payload: bytes, signature: Signature) -> None:
        """Raise `SignatureInvalid` unless the trusted key that the signature names signed exactly this."""
        key = self._keys.get(signature.key_id)
        if key is None:
            raise SignatureInvalid("signed by a key that is not trusted here")
        try:
            key.verify(signature.value, signed_bytes(context, gateway_id, payload))
        except InvalidSignature:
            raise SignatureInvalid("the signature does not match") from None


def signed_bytes(context: str, gateway_id: str, payload: bytes) -> bytes:
    """The three parts, each preceded by its length as 8 bytes, big-endian."""
    parts = (context.encode(), gateway_id.encode(), payload)
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def key_id_of(public_key: bytes) -> str:
    """The first 16 hex digits of the SHA-256 of the raw public key."""
    return hashlib.sha256(public_key).hexdigest()[:KEY_ID_LENGTH]


def generate_signing_key() -> tuple[str, str]:
    """A new pair: (`BUNDLE_SIGNING_KEY`, one of `BUNDLE_VERIFY_KEYS`)."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.b64encode(private).decode("ascii"), base64.b64encode(public).decode("ascii")
