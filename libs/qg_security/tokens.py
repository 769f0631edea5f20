"""Tokens that consumers present on `bearer` endpoints: JWTs under the HMAC secret of one auth method.

`aud` is the method's id, `sub` the consumer, `cid` the credential. One algorithm per method, pinned.
"""

import hmac
import secrets

import msgspec

from qg_security.claims import (
    HMAC_BYTES_MIN,
    ClaimText,
    TokenInvalid,
    UnixSeconds,
    check_times,
    read_claims,
    sign,
    verified_payload,
)
from qg_security.keys import KeyInvalid, hmac_key


class Claims(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The claims of a consumer's token; times in Unix seconds. Further claims are ignored."""

    sub: ClaimText
    aud: ClaimText
    cid: ClaimText
    jti: ClaimText
    iat: UnixSeconds
    exp: UnixSeconds
    nbf: UnixSeconds | None = None


def token_key(hmac_secret: str, algorithm: str) -> bytes:
    """The signing key of a method. Raises `KeyInvalid` on an unknown algorithm and on a key too short for it."""
    bytes_min = HMAC_BYTES_MIN.get(algorithm)
    if bytes_min is None:
        raise KeyInvalid(f"the algorithm must be one of {', '.join(HMAC_BYTES_MIN)}")
    return hmac_key(hmac_secret, bytes_min)


def issue_token(
    method_id: str,
    algorithm: str,
    hmac_secret: str,
    *,
    consumer: str,
    credential_id: str,
    expires_in_s: int,
    now: float,
) -> tuple[str, int]:
    """A new token and its `exp` (Unix seconds). Raises `KeyInvalid`."""
    issued_at = int(now)
    claims = Claims(
        sub=consumer,
        aud=method_id,
        cid=credential_id,
        jti=secrets.token_hex(16),
        iat=issued_at,
        exp=issued_at + expires_in_s,
    )
    return sign(claims, token_key(hmac_secret, algorithm), algorithm), claims.exp


def verify_token(token: bytes, method_id: str, algorithm: str, hmac_secret: str, now: float) -> Claims:
    """The claims of a valid token of this method. Raises `TokenExpired` or `TokenInvalid`, whatever the bytes are."""
    return verify_with(token, method_id, algorithm, token_key(hmac_secret, algorithm), now)


def verify_with(token: bytes, method_id: str, algorithm: str, key: bytes, now: float) -> Claims:
    """`verify_token` with the key already read."""
    claims = read_claims(verified_payload(token, key, algorithm), Claims)
    if not hmac.compare_digest(claims.aud.encode(), method_id.encode()):
        raise TokenInvalid("wrong_audience")
    check_times(now, issued_at=claims.iat, not_before=claims.nbf, expires_at=claims.exp)
    return claims
