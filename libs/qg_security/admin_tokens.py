"""Tokens of signed-in admins: JWTs under `JWT_SECRET_KEY`, of which the first signs and all verify."""

import secrets
from collections.abc import Sequence
from typing import Annotated

import jwt
import msgspec

from qg_security.claims import ClaimText, TokenInvalid, UnixSeconds, check_times, read_claims, sign, verified_payload
from qg_security.keys import HMAC_KEY_BYTES_MIN, KeyInvalid

AUDIENCE = "querygateway-admin"
ALGORITHM = "HS256"


class AdminClaims(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The claims of an admin's token; times in Unix seconds.

    `ver` is the admin's token version: raising the stored one signs the admin out everywhere.
    """

    sub: ClaimText
    role: ClaimText
    ver: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    aud: ClaimText
    jti: ClaimText
    iat: UnixSeconds
    exp: UnixSeconds
    nbf: UnixSeconds | None = None


def admin_keys(secret_keys: Sequence[str]) -> tuple[bytes, ...]:
    """The signing keys of `JWT_SECRET_KEY`: each text as its UTF-8 bytes.

    Raises `KeyInvalid` when there is none, on one below 32 bytes, and on one that is a PEM or SSH key.
    """
    keys = tuple(text.encode() for text in secret_keys)
    if not keys or any(len(key) < HMAC_KEY_BYTES_MIN for key in keys):
        raise KeyInvalid(f"each admin signing key must have at least {HMAC_KEY_BYTES_MIN} bytes")
    for key in keys:
        try:
            jwt.get_algorithm_by_name(ALGORITHM).prepare_key(key)
        except jwt.InvalidKeyError:
            raise KeyInvalid("an admin signing key must be random text, not an asymmetric key") from None
    return keys


def issue_admin_token(
    keys: Sequence[bytes], *, username: str, role: str, version: int, expires_in_s: int, now: float
) -> tuple[str, int]:
    """A new token under the first key and its `exp` (Unix seconds)."""
    issued_at = int(now)
    claims = AdminClaims(
        sub=username,
        role=role,
        ver=version,
        aud=AUDIENCE,
        jti=secrets.token_hex(16),
        iat=issued_at,
        exp=issued_at + expires_in_s,
    )
    return sign(claims, keys[0], ALGORITHM), claims.exp


def verify_admin_token(token: bytes, keys: Sequence[bytes], now: float) -> AdminClaims:
    """The claims of a token that any of `keys` signed.

    Raises `TokenExpired` or `TokenInvalid`, whatever the bytes are. The caller compares `ver` and `role` with what is
    stored.
    """
    claims = read_claims(_payload_under_any(token, keys), AdminClaims)
    if claims.aud != AUDIENCE:
        raise TokenInvalid("wrong_audience")
    check_times(now, issued_at=claims.iat, not_before=claims.nbf, expires_at=claims.exp)
    return claims


def _payload_under_any(token: bytes, keys: Sequence[bytes]) -> bytes:
    for key in keys[:-1]:
        try:
            return verified_payload(token, key, ALGORITHM)
        except TokenInvalid as error:
            if error.reason != "wrong_signature":
                raise
    return verified_payload(token, keys[-1], ALGORITHM)
