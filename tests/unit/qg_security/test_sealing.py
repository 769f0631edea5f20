"""Secrets open only with a known key, unaltered, and for the row they were sealed for."""

import msgspec
import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from qg_core.specs import AuthMethodSecret, ConnectionSecret, CredentialSecret
from qg_security.keys import KeyInvalid
from qg_security.sealing import SealBroken, Sealer, new_fernet_key

KEY = new_fernet_key()


def test_a_secret_opens_for_its_row() -> None:
    sealer = Sealer([KEY])
    secret = ConnectionSecret(password='p"ä\\', wallet=None)
    token = sealer.seal("connection:1", secret)
    assert 'p"ä' not in token
    assert sealer.open("connection:1", token, ConnectionSecret) == secret


def test_another_rows_token_is_refused() -> None:
    sealer = Sealer([KEY])
    token = sealer.seal("credential:1", CredentialSecret("hash"))
    with pytest.raises(SealBroken, match="another row"):
        sealer.open("credential:2", token, CredentialSecret)


def test_another_kind_of_secret_is_refused() -> None:
    sealer = Sealer([KEY])
    token = sealer.seal("x:1", AuthMethodSecret("00"))
    with pytest.raises(SealBroken, match="not a CredentialSecret"):
        sealer.open("x:1", token, CredentialSecret)


def test_the_first_key_seals_and_every_key_opens() -> None:
    old, new = new_fernet_key(), new_fernet_key()
    token = Sealer([old]).seal("a:1", AuthMethodSecret("00"))
    assert Sealer([new, old]).open("a:1", token, AuthMethodSecret) == AuthMethodSecret("00")
    token = Sealer([new, old]).seal("a:1", AuthMethodSecret("01"))
    assert Sealer([new]).open("a:1", token, AuthMethodSecret) == AuthMethodSecret("01")
    with pytest.raises(SealBroken, match="any of the keys"):
        Sealer([old]).open("a:1", token, AuthMethodSecret)


def test_sealed_again_it_is_the_same_secret_of_the_same_row_under_the_newest_key() -> None:
    old, new = new_fernet_key(), new_fernet_key()
    both = Sealer([new, old])
    token = Sealer([old]).seal("a:1", AuthMethodSecret("00"))
    assert not both.is_newest(token)
    again = both.seal_again("a:1", token)
    assert both.is_newest(again)
    assert Sealer([new]).open("a:1", again, AuthMethodSecret) == AuthMethodSecret("00")
    with pytest.raises(SealBroken, match="another row"):
        both.seal_again("a:2", token)
    with pytest.raises(SealBroken, match="any of the keys"):
        Sealer([new]).seal_again("a:1", token)
    assert not Sealer([new]).is_newest("no token")


@given(position=st.integers(min_value=0, max_value=200), replacement=st.sampled_from("AQgwz09-_"))
def test_one_altered_character_breaks_the_seal(position: int, replacement: str) -> None:
    token = Sealer([KEY]).seal("a:1", AuthMethodSecret("00"))
    position %= len(token)
    if token[position] == replacement:
        return
    with pytest.raises(SealBroken):
        Sealer([KEY]).open("a:1", token[:position] + replacement + token[position + 1 :], AuthMethodSecret)


@given(st.text())
def test_anything_else_is_a_broken_seal(token: str) -> None:
    with pytest.raises(SealBroken):
        Sealer([KEY]).open("a:1", token, AuthMethodSecret)


@pytest.mark.parametrize(
    "plaintext", [b"", b"{}", b"[1]", b'{"row":"a:1"}', b'{"row":"a:1","secret":[[]]}', b"[" * 9000]
)
def test_a_valid_token_of_the_wrong_shape_is_a_broken_seal(plaintext: bytes) -> None:
    token = Fernet(KEY).encrypt(plaintext).decode()
    with pytest.raises(SealBroken):
        Sealer([KEY]).open("a:1", token, AuthMethodSecret)


@pytest.mark.parametrize("keys", [[], [""], ["x"], ["ä" * 44], [KEY, "short"], [KEY[:-1]]])
def test_bad_keys_are_refused_without_repeating_them(keys: list[str]) -> None:
    with pytest.raises(KeyInvalid) as refused:
        Sealer(keys)
    assert not any(key and key in str(refused.value) for key in keys if len(key) > 1)


def test_the_repr_hides_the_keys_and_secrets_hide_themselves() -> None:
    assert KEY not in repr(Sealer([KEY]))
    for secret in (ConnectionSecret("pw"), AuthMethodSecret("pw"), CredentialSecret("pw")):
        assert "pw" not in repr(secret)
        assert b"pw" in msgspec.json.encode(secret)
