"""Consumers' tokens: ours pass, everything else is TokenInvalid or TokenExpired, never another error."""

import base64
import contextlib
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from qg_security.claims import TOKEN_BYTES_MAX, TokenExpired, TokenInvalid
from qg_security.keys import KeyInvalid, new_hmac_secret
from qg_security.tokens import Claims, issue_token, token_key, verify_token

METHOD = "7e0c5c30-63a9-4b3c-9d7d-9d36e5c15a01"
CREDENTIAL = "0b9d2f3c-6a52-4f0e-9a40-6b6a2a6b0b11"
SECRET = new_hmac_secret()
KEY = bytes.fromhex(SECRET)
NOW = 1_800_000_000.0
GOOD: dict[str, Any] = {
    "sub": "erp",
    "aud": METHOD,
    "cid": CREDENTIAL,
    "jti": "x1",
    "iat": int(NOW),
    "exp": int(NOW) + 60,
}


def signed(claims: object, *, algorithm: str = "HS256", key: Any = KEY, headers: dict[str, Any] | None = None) -> bytes:
    return jwt.PyJWS().encode(json.dumps(claims).encode(), key, algorithm=algorithm, headers=headers).encode()


def raw(header: object, payload: bytes, signature: bytes = b"") -> bytes:
    parts = (json.dumps(header).encode(), payload, signature)
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)


def verify(token: bytes, now: float = NOW) -> Claims:
    return verify_token(token, METHOD, "HS256", SECRET, now)


def refused(token: bytes, now: float = NOW) -> str:
    with pytest.raises(TokenInvalid) as error:
        verify(token, now)
    assert not isinstance(error.value, TokenExpired)
    return error.value.reason


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_an_issued_token_verifies(algorithm: str) -> None:
    token, expires_at = issue_token(
        METHOD, algorithm, SECRET, consumer="erp", credential_id=CREDENTIAL, expires_in_s=60, now=NOW
    )
    claims = verify_token(token.encode(), METHOD, algorithm, SECRET, NOW)
    assert (claims.sub, claims.cid, claims.aud, claims.iat, claims.exp) == ("erp", CREDENTIAL, METHOD, NOW, NOW + 60)
    assert expires_at == claims.exp
    assert len(token) < 600


def test_the_good_claims_are_good() -> None:
    assert verify(signed(GOOD)).sub == "erp"
    assert verify(signed({**GOOD, "nbf": int(NOW), "scope": ["ignored"], "iss": 7})).sub == "erp"


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_hmac_algorithm_than_the_pinned_one_is_refused(algorithm: str) -> None:
    assert refused(signed(GOOD, algorithm=algorithm)) == "wrong_algorithm"


def test_unsigned_tokens_are_refused() -> None:
    assert refused(signed(GOOD, algorithm="none", key=None)) == "wrong_algorithm"
    for name in ("none", "None", "NONE", "nOnE", "", "hs256", "HS256 "):
        assert refused(raw({"alg": name, "typ": "JWT"}, json.dumps(GOOD).encode())) == "wrong_algorithm"
    assert refused(raw({"alg": "HS256"}, json.dumps(GOOD).encode())) == "wrong_signature"
    assert refused(raw({}, json.dumps(GOOD).encode())) == "wrong_algorithm"


def test_asymmetric_tokens_are_refused() -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert refused(signed(GOOD, algorithm="RS256", key=private)) == "wrong_algorithm"
    claimed = signed(GOOD).split(b".")
    claimed[0] = base64.urlsafe_b64encode(b'{"alg":"RS256"}').rstrip(b"=")
    assert refused(b".".join(claimed)) == "wrong_algorithm"


@pytest.mark.parametrize(
    "header",
    [
        {"alg": ["HS256"]},
        {"alg": {"a": 1}},
        {"alg": None},
        {"alg": 256},
        {"alg": "HS256", "kid": 7},
        {"alg": "HS256", "crit": ["b64"], "b64": False},
        {"alg": "HS256", "crit": ["exp"]},
        {"alg": "HS256", "crit": []},
        {"alg": "HS256", "crit": "x"},
        [],
        "HS256",
        None,
    ],
)
def test_odd_headers_are_refused(header: object) -> None:
    refused(raw(header, json.dumps(GOOD).encode(), b"x" * 32))


@pytest.mark.parametrize("crit", [["exp"], ["b64"]])
def test_a_signed_crit_header_is_refused(crit: list[str]) -> None:
    assert refused(signed(GOOD, headers={"crit": crit})) == "malformed_token"


def test_key_hints_in_the_header_are_ignored() -> None:
    own = b"0" * 64
    hints = {
        "kid": "../../etc/passwd\0",
        "jku": "http://127.0.0.1:9/",
        "x5u": "http://127.0.0.1:9/",
        "jwk": {"kty": "oct", "k": base64.urlsafe_b64encode(own).decode()},
    }
    assert verify(signed(GOOD, headers=hints)).sub == "erp"
    assert refused(signed(GOOD, headers=hints, key=own)) == "wrong_signature"


def test_the_hex_text_of_the_secret_is_not_the_key() -> None:
    assert refused(signed(GOOD, key=SECRET.encode())) == "wrong_signature"


@pytest.mark.parametrize("claim", list(GOOD))
def test_every_claim_is_required(claim: str) -> None:
    assert refused(signed({name: value for name, value in GOOD.items() if name != claim})) == "malformed_claims"
    assert refused(signed({**GOOD, claim: None})) == "malformed_claims"


@pytest.mark.parametrize("claim", ["sub", "cid", "jti", "aud"])
@pytest.mark.parametrize("value", [7, True, ["x"], {"a": 1}, "", "x" * 256, "a\0b", "a\nb", 1.5])
def test_text_claims_are_short_plain_text(claim: str, value: object) -> None:
    assert refused(signed({**GOOD, claim: value})) == "malformed_claims"


@pytest.mark.parametrize("audience", [[METHOD], [METHOD, "x"], []])
def test_an_audience_list_is_refused_even_if_it_names_us(audience: list[str]) -> None:
    assert refused(signed({**GOOD, "aud": audience})) == "malformed_claims"


def test_another_methods_audience_is_refused() -> None:
    assert refused(signed({**GOOD, "aud": METHOD.upper()})) == "wrong_audience"
    assert refused(signed({**GOOD, "aud": CREDENTIAL})) == "wrong_audience"


@pytest.mark.parametrize("claim", ["iat", "exp", "nbf"])
@pytest.mark.parametrize(
    "value", [10**30, 10**2000, -1, -(10**30), 1.5, 1e400, float("nan"), True, "1800000060", [], {}, 253_402_300_800]
)
def test_times_are_whole_seconds_within_reason(claim: str, value: object) -> None:
    assert refused(signed({**GOOD, claim: value})) == "malformed_claims"


def test_exp_has_no_leeway() -> None:
    assert verify(signed(GOOD), NOW + 59.999) is not None
    for late in (NOW + 60, NOW + 61, NOW + 10**9):
        with pytest.raises(TokenExpired):
            verify(signed(GOOD), late)


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_iat_and_nbf_have_30_seconds_of_leeway(claim: str) -> None:
    assert verify(signed({**GOOD, claim: int(NOW) + 30})) is not None
    assert refused(signed({**GOOD, claim: int(NOW) + 31})) == "token_from_the_future"


def test_long_tokens_are_refused_before_they_are_read() -> None:
    assert refused(signed({**GOOD, "pad": "x" * 8192})) == "token_too_long"
    assert refused(b"." * (TOKEN_BYTES_MAX + 1)) == "token_too_long"


@pytest.mark.parametrize(
    "payload", [b"", b"null", b"[]", b"{", b"[" * 2500, b'{"a":' * 500, b"\xff\xfe", b'"\\ud800"', b"NaN", b"1" * 2500]
)
def test_signed_nonsense_is_refused(payload: bytes) -> None:
    token = jwt.PyJWS().encode(payload, KEY, algorithm="HS256").encode()
    assert refused(token) == "malformed_claims"


@given(st.binary(max_size=500))
def test_any_bytes_are_refused_and_nothing_worse(token: bytes) -> None:
    refused(token)


@given(st.lists(st.binary(max_size=120), min_size=2, max_size=4))
def test_any_segments_are_refused_and_nothing_worse(segments: list[bytes]) -> None:
    refused(b".".join(base64.urlsafe_b64encode(segment).rstrip(b"=") for segment in segments))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(header=st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64", "typ", "jwk"]), _json), payload=_json)
def test_any_header_and_payload_are_refused_and_nothing_worse(header: object, payload: object) -> None:
    refused(raw(header, json.dumps(payload).encode(), b"s" * 32))


@given(st.sampled_from(list(GOOD)), _json)
def test_one_claim_replaced_by_anything_never_raises_anything_else(claim: str, value: object) -> None:
    with contextlib.suppress(TokenInvalid):
        verify(signed({**GOOD, claim: value}))


@pytest.mark.parametrize(
    ("algorithm", "size"), [("HS256", 31), ("HS384", 47), ("HS512", 63), ("HS1", 64), ("none", 64)]
)
def test_short_keys_and_unknown_algorithms_are_refused(algorithm: str, size: int) -> None:
    with pytest.raises(KeyInvalid):
        token_key("00" * size, algorithm)
