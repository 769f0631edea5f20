"""API keys: `<prefix><credential id, 32 hex>_<secret, 48 hex>_<tag, 16 hex>`.

The tag is an HMAC over everything before it under the method's secret, so a key that was never minted is refused in
microseconds, before anything slow is asked. The secret part is stored as a bcrypt hash only.
"""

import hmac
import re
import secrets
import uuid

import msgspec

from qg_security.keys import hmac_key

SECRET_BYTES = 24
SECRET_LENGTH = 2 * SECRET_BYTES
TAG_LENGTH = 16
CREDENTIAL_LENGTH = 32
PREFIX_LENGTH_MAX = 32

_AFTER_PREFIX = re.compile(rb"([0-9a-f]{32})_([0-9a-f]{48})_([0-9a-f]{16})\Z")
_PREFIX = re.compile(rf"[A-Za-z0-9_.-]{{0,{PREFIX_LENGTH_MAX}}}\Z")


class KeyMalformed(ValueError):
    """What was presented is no key that this method minted."""


class MintedKey(msgspec.Struct, frozen=True):
    """A new key, to be shown once, and the part of it that is stored as a bcrypt hash."""

    key: str
    secret_part: str

    def __repr__(self) -> str:
        return "MintedKey(...)"


class ParsedKey(msgspec.Struct, frozen=True):
    """A key whose tag is right; `credential_id` in the dashed form of a UUID."""

    credential_id: str
    secret_part: bytes

    def __repr__(self) -> str:
        return f"ParsedKey(credential_id={self.credential_id!r}, ...)"


def mint(prefix: str, credential_id: str, hmac_secret: str) -> MintedKey:
    """A new key of the credential (a UUID) under the method's secret.

    Raises `ValueError` on a prefix other than `[A-Za-z0-9_.-]{0,32}`, on an id that is no UUID and on a weak secret.
    """
    if not _PREFIX.match(prefix):
        raise ValueError("a key prefix has at most 32 characters out of A-Z, a-z, 0-9, '_', '.' and '-'")
    key = hmac_key(hmac_secret)
    secret_part = secrets.token_hex(SECRET_BYTES)
    body = f"{prefix}{uuid.UUID(credential_id).hex}_{secret_part}"
    return MintedKey(f"{body}_{_tag(key, body.encode('ascii'))}", secret_part)


def parse(presented: bytes, prefix: str, hmac_secret: str) -> ParsedKey:
    """Read a presented key and verify its tag. Raises `KeyMalformed`, whatever the bytes are."""
    return parse_with(presented, prefix.encode("ascii"), hmac_key(hmac_secret))


def parse_with(presented: bytes, prefix: bytes, key: bytes) -> ParsedKey:
    """`parse` with the secret already read; costs about 3 us. Raises `KeyMalformed`."""
    # Length first: the rest must cost the same little for a key of 16 KiB as for a real one.
    if len(presented) != len(prefix) + CREDENTIAL_LENGTH + SECRET_LENGTH + TAG_LENGTH + 2:
        raise KeyMalformed("not the length of a key")
    found = _AFTER_PREFIX.match(presented, len(prefix))
    if found is None or not presented.startswith(prefix):
        raise KeyMalformed("not the form of a key")
    credential, secret_part, tag = found.groups()
    if not hmac.compare_digest(_tag(key, presented[: found.start(3) - 1]).encode("ascii"), tag):
        raise KeyMalformed("not minted by this method")
    text = credential.decode("ascii")
    return ParsedKey(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}", secret_part)


def _tag(key: bytes, body: bytes) -> str:
    return hmac.digest(key, body, "sha256").hex()[:TAG_LENGTH]
