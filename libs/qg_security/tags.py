"""Tags: HMAC-SHA-256 (RFC 2104) under keys derived from BUNDLE_SEAL_KEY with HKDF (RFC 5869), one per purpose.

A tag proves that somebody who holds the key wrote a message for this purpose; unlike a signature it does not tell who.
"""

import base64
import hmac
from collections.abc import Sequence

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from qg_security.keys import KeyInvalid

SNAPSHOT_CONTEXT = "querygateway/snapshot/1"
ACCESS_BATCH_CONTEXT = "querygateway/access-batch/1"
ACCESS_PERSISTED_CONTEXT = "querygateway/access-persisted/1"

KEY_ID_CONTEXT = "querygateway/seal-key-id/1"
KEY_ID_LENGTH = 16

TAG_BYTES = 32
_KEY_BYTES = 32


class TagKeys:
    """Tags with the first of `seal_keys` and verifies with any of them (`qg_core.signatures.Tagger`).

    `context` names the purpose: a tag made under another one never verifies. Raises `KeyInvalid` when there is no key
    or one is not 32 bytes in urlsafe base64.
    """

    def __init__(self, seal_keys: Sequence[str], context: str) -> None:
        if not seal_keys:
            raise KeyInvalid("at least one key is needed")
        self._keys = tuple(_derived(key, context) for key in seal_keys)

    def __repr__(self) -> str:
        return "TagKeys(...)"

    def tag(self, message: bytes) -> bytes:
        """The tag of `message`, `TAG_BYTES` long."""
        return hmac.digest(self._keys[0], message, "sha256")

    def verifies(self, message: bytes, tag: bytes) -> bool:
        """Whether `tag` was made for exactly `message` with one of the keys. Every key is tried, in constant time."""
        matches = [hmac.compare_digest(hmac.digest(key, message, "sha256"), tag) for key in self._keys]
        return any(matches)


def seal_key_ids(seal_keys: Sequence[str]) -> tuple[str, ...]:
    """A name for each of these keys that tells nothing of it: 16 hex digits, derived with HKDF. Raises `KeyInvalid`."""
    return tuple(_derived(key, KEY_ID_CONTEXT).hex()[:KEY_ID_LENGTH] for key in seal_keys)


def _derived(seal_key: str, context: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(seal_key.strip().encode("ascii"))
    except ValueError:
        raw = b""
    if len(raw) != _KEY_BYTES:
        raise KeyInvalid(f"a key must be {_KEY_BYTES} bytes in urlsafe base64")
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=context.encode()).derive(raw)
