"""What a token of ours must say, checked strictly: types, bounds, times.

The signature is PyJWT's matter (`jws`); the claims are read by msgspec into Structs, so a float, a boolean, a missing
or an over-long claim is refused before anything looks at its value.
"""

from typing import Annotated, TypeVar

import jwt
import msgspec

LEEWAY_S = 30
"""How far a token's `iat` and `nbf` may lie in the future (clocks differ). `exp` has no leeway."""

TOKEN_BYTES_MAX = 4_096
"""Ours have about 400; verifying costs time in proportion."""

_TIME_MAX = 253_402_300_799
"""The end of the year 9999, in Unix seconds."""

UnixSeconds = Annotated[int, msgspec.Meta(ge=0, le=_TIME_MAX)]
ClaimText = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+\Z")]

ClaimsT = TypeVar("ClaimsT", bound=msgspec.Struct)

HMAC_BYTES_MIN = {"HS256": 32, "HS384": 48, "HS512": 64}
"""Algorithms that a method may pin, each with the shortest key it takes (RFC 7518, 3.2)."""

_jws = jwt.PyJWS(options={"enforce_minimum_key_length": True})


class TokenInvalid(ValueError):
    """The token is not one of ours; `reason` is a short slug for the event."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class TokenExpired(TokenInvalid):
    """The token was ours; its `exp` has passed."""


def sign(claims: msgspec.Struct, key: bytes, algorithm: str) -> str:
    """The compact token of `claims`."""
    return _jws.encode(msgspec.json.encode(claims), key, algorithm=algorithm)


def verified_payload(token: bytes, key: bytes, algorithm: str) -> bytes:
    """The payload of a token signed with exactly `algorithm`. Raises `TokenInvalid`, whatever the bytes are.

    The headers `kid`, `jku`, `jwk`, `x5u` and the like are never looked at; one with `crit` is refused.
    """
    if len(token) > TOKEN_BYTES_MAX:
        raise TokenInvalid("token_too_long")
    try:
        decoded = _jws.decode_complete(token, key, algorithms=[algorithm])
    except jwt.InvalidAlgorithmError:
        raise TokenInvalid("wrong_algorithm") from None
    except jwt.InvalidSignatureError:
        raise TokenInvalid("wrong_signature") from None
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise TokenInvalid("malformed_token") from None
    if "crit" in decoded["header"]:
        raise TokenInvalid("malformed_token")
    payload: bytes = decoded["payload"]
    return payload


def read_claims(payload: bytes, claims_type: type[ClaimsT]) -> ClaimsT:
    """The claims of a verified payload. Raises `TokenInvalid` when one is missing or not of its type."""
    try:
        return msgspec.json.decode(payload, type=claims_type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise TokenInvalid("malformed_claims") from None


def check_times(now: float, *, issued_at: int, not_before: int | None, expires_at: int) -> None:
    """Raise `TokenExpired` at `exp` and `TokenInvalid` before `iat` or `nbf`; all in Unix seconds."""
    if issued_at > now + LEEWAY_S or (not_before is not None and not_before > now + LEEWAY_S):
        raise TokenInvalid("token_from_the_future")
    if now >= expires_at:
        raise TokenExpired("token_expired")
