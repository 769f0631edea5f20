"""Key material as text: how it is made, how it is read, how short is too short."""

import base64
import binascii
import secrets

HMAC_KEY_BYTES = 64
"""Length of the HMAC secrets made here: enough for every one of HS256, HS384 and HS512."""

HMAC_KEY_BYTES_MIN = 32


class KeyInvalid(ValueError):
    """The text is no usable key; the message says what is expected and never repeats the key."""


def new_hmac_secret() -> str:
    """A new HMAC secret of `HMAC_KEY_BYTES` random bytes, in hex: for `AuthMethodSecret.hmac_secret`."""
    return secrets.token_hex(HMAC_KEY_BYTES)


def hmac_key(hmac_secret: str, bytes_min: int = HMAC_KEY_BYTES_MIN) -> bytes:
    """The bytes of a hex HMAC secret. Raises `KeyInvalid` when it is not hex or shorter than `bytes_min` bytes."""
    try:
        key = bytes.fromhex(hmac_secret)
    except ValueError:
        raise KeyInvalid("an HMAC secret must be hexadecimal") from None
    if len(key) < bytes_min:
        raise KeyInvalid(f"an HMAC secret must have at least {bytes_min} bytes, not {len(key)}")
    return key


def raw_key_of(text: str, size_bytes: int) -> bytes:
    """The bytes of a standard base64 key of exactly `size_bytes`. Raises `KeyInvalid`."""
    try:
        key = base64.b64decode(text.strip().encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        raise KeyInvalid(f"must be the base64 form of {size_bytes} bytes") from None
    if len(key) != size_bytes:
        raise KeyInvalid(f"must be the base64 form of {size_bytes} bytes, not of {len(key)}")
    return key
