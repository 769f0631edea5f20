"""Admins' tokens: several keys verify, one signs; nothing of a consumer's token passes here."""

import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qg_security.admin_tokens import AUDIENCE, admin_keys, issue_admin_token, verify_admin_token
from qg_security.claims import TokenExpired, TokenInvalid
from qg_security.keys import KeyInvalid

KEYS = admin_keys(["new-" + "n" * 40, "old-" + "o" * 40])
NOW = 1_800_000_000.0
GOOD: dict[str, Any] = {
    "sub": "root",
    "role": "admin",
    "ver": 0,
    "aud": AUDIENCE,
    "jti": "1",
    "iat": int(NOW),
    "exp": int(NOW) + 60,
}


def signed(claims: dict[str, Any], key: bytes = KEYS[0], algorithm: str = "HS256") -> bytes:
    return jwt.PyJWS().encode(json.dumps(claims).encode(), key, algorithm=algorithm).encode()


def test_an_issued_token_verifies_under_any_key() -> None:
    token, expires_at = issue_admin_token(KEYS, username="root", role="admin", version=3, expires_in_s=60, now=NOW)
    claims = verify_admin_token(token.encode(), KEYS, NOW)
    assert (claims.sub, claims.role, claims.ver, claims.exp) == ("root", "admin", 3, expires_at)
    assert verify_admin_token(signed(GOOD, KEYS[1]), KEYS, NOW).sub == "root"
    with pytest.raises(TokenInvalid, match="wrong_signature"):
        verify_admin_token(signed(GOOD, KEYS[1]), KEYS[:1], NOW)


@pytest.mark.parametrize("claim", list(GOOD))
def test_every_claim_is_required(claim: str) -> None:
    with pytest.raises(TokenInvalid, match="malformed_claims"):
        verify_admin_token(signed({name: value for name, value in GOOD.items() if name != claim}), KEYS, NOW)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"aud": "querygateway"}, "wrong_audience"),
        ({"aud": [AUDIENCE]}, "malformed_claims"),
        ({"ver": "3"}, "malformed_claims"),
        ({"ver": True}, "malformed_claims"),
        ({"role": ["admin"]}, "malformed_claims"),
        ({"sub": 7}, "malformed_claims"),
        ({"exp": 10**30}, "malformed_claims"),
        ({"iat": int(NOW) + 31}, "token_from_the_future"),
    ],
)
def test_odd_claims_are_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(TokenInvalid, match=reason):
        verify_admin_token(signed(GOOD | change), KEYS, NOW)


def test_expired_and_foreign_algorithms() -> None:
    with pytest.raises(TokenExpired):
        verify_admin_token(signed(GOOD), KEYS, NOW + 60)
    for algorithm in ("HS512", "HS384"):
        with pytest.raises(TokenInvalid, match="wrong_algorithm"):
            verify_admin_token(signed(GOOD, b"k" * 64, algorithm), KEYS, NOW)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_and_nothing_worse(token: bytes) -> None:
    with pytest.raises(TokenInvalid):
        verify_admin_token(token, KEYS, NOW)


PEM = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQAD\n-----END PUBLIC KEY-----\n"


@pytest.mark.parametrize("texts", [[], [""], ["x" * 31], ["x" * 40, "short"], [PEM]])
def test_weak_or_wrong_keys_are_refused(texts: list[str]) -> None:
    with pytest.raises(KeyInvalid):
        admin_keys(texts)
