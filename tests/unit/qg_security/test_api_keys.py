"""API keys: minted ones parse, everything else is refused before anything slow is asked."""

import time
import uuid
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qg_security.api_keys import KeyMalformed, mint, parse, parse_with
from qg_security.keys import KeyInvalid, hmac_key, new_hmac_secret

SECRET = new_hmac_secret()
CREDENTIAL = "0b9d2f3c-6a52-4f0e-9a40-6b6a2a6b0b11"


@pytest.mark.parametrize("prefix", ["", "qg_", "acme-prod.v1_", "x" * 32])
def test_a_minted_key_parses(prefix: str) -> None:
    minted = mint(prefix, CREDENTIAL, SECRET)
    parsed = parse(minted.key.encode(), prefix, SECRET)
    assert parsed.credential_id == CREDENTIAL
    assert parsed.secret_part.decode() == minted.secret_part
    assert len(minted.key) >= 32
    assert minted.key.startswith(prefix)


def test_two_keys_of_one_credential_differ_in_192_random_bits() -> None:
    one = mint("qg_", CREDENTIAL, SECRET).secret_part
    two = mint("qg_", CREDENTIAL, SECRET).secret_part
    assert one != two
    assert len(bytes.fromhex(one)) * 8 == 192


@given(position=st.integers(min_value=0, max_value=200), replacement=st.sampled_from("0aZ_g \0"))
def test_one_altered_character_is_refused(position: int, replacement: str) -> None:
    key = mint("qg_", CREDENTIAL, SECRET).key
    position %= len(key)
    if key[position] == replacement:
        return
    with pytest.raises(KeyMalformed):
        parse((key[:position] + replacement + key[position + 1 :]).encode(), "qg_", SECRET)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_and_nothing_worse(presented: bytes) -> None:
    with pytest.raises(KeyMalformed):
        parse(presented, "qg_", SECRET)
    with pytest.raises(KeyMalformed):
        parse(b"qg_" + presented, "qg_", SECRET)


@given(st.binary(min_size=98, max_size=98))
def test_the_right_length_alone_is_not_enough(presented: bytes) -> None:
    with pytest.raises(KeyMalformed):
        parse(b"qg_" + presented, "qg_", SECRET)


@pytest.mark.parametrize("change", [lambda k: k + "\n", lambda k: " " + k, lambda k: k.upper(), lambda k: k + "," + k])
def test_variants_of_a_good_key_are_refused(change: Callable[[str], str]) -> None:
    with pytest.raises(KeyMalformed):
        parse(change(mint("qg_", CREDENTIAL, SECRET).key).encode(), "qg_", SECRET)


def test_a_key_of_another_method_prefix_or_secret_is_refused() -> None:
    key = mint("qg_", CREDENTIAL, SECRET).key.encode()
    with pytest.raises(KeyMalformed, match="not minted"):
        parse(key, "qg_", new_hmac_secret())
    with pytest.raises(KeyMalformed):
        parse(key, "gq_", SECRET)
    with pytest.raises(KeyMalformed):
        parse(key, "", SECRET)


@pytest.mark.parametrize("prefix", ["x" * 33, "a b", "ä", "a\n", "a,"])
def test_a_prefix_that_would_not_travel_in_a_header_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        mint(prefix, CREDENTIAL, SECRET)


@pytest.mark.parametrize("secret", ["", "zz", "00" * 31, "ä" * 64])
def test_a_weak_secret_is_refused(secret: str) -> None:
    with pytest.raises(KeyInvalid):
        mint("qg_", CREDENTIAL, secret)
    with pytest.raises(KeyInvalid):
        parse(b"x", "qg_", secret)


def test_what_is_shown_holds_nothing_of_the_secret() -> None:
    minted = mint("qg_", str(uuid.uuid4()), SECRET)
    assert minted.secret_part not in repr(minted)
    assert minted.secret_part not in repr(parse(minted.key.encode(), "qg_", SECRET))


def test_a_key_that_was_never_minted_costs_microseconds() -> None:
    key = hmac_key(SECRET)
    forged = mint("qg_", CREDENTIAL, new_hmac_secret()).key.encode()
    started = time.thread_time()
    for _ in range(2_000):
        with pytest.raises(KeyMalformed):
            parse_with(forged, b"qg_", key)
    per_key_us = (time.thread_time() - started) / 2_000 * 1e6
    assert per_key_us < 200  # generous: the machine may be busy; measured below 10
