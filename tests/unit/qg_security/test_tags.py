"""Tags: made and verified under one purpose, by whoever holds one of the keys."""

import base64
import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from qg_security.keys import KeyInvalid
from qg_security.sealing import new_fernet_key
from qg_security.tags import ACCESS_BATCH_CONTEXT, SNAPSHOT_CONTEXT, TAG_BYTES, TagKeys, seal_key_ids

KEY, OTHER = new_fernet_key(), new_fernet_key()


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_tag_is_of_one_message(message: bytes, other: bytes) -> None:
    tags = TagKeys([KEY], SNAPSHOT_CONTEXT)
    tag = tags.tag(message)
    assert len(tag) == TAG_BYTES
    assert tags.verifies(message, tag)
    assert tags.verifies(other, tag) is (other == message)


@pytest.mark.parametrize("position", [0, 15, 31])
def test_an_altered_tag_does_not_verify(position: int) -> None:
    tags = TagKeys([KEY], SNAPSHOT_CONTEXT)
    tag = bytearray(tags.tag(b"message"))
    tag[position] ^= 1
    assert not tags.verifies(b"message", bytes(tag))
    assert not tags.verifies(b"message", b"")
    assert not tags.verifies(b"message", tags.tag(b"message")[:-1])


def test_another_purpose_or_key_does_not_verify() -> None:
    tag = TagKeys([KEY], ACCESS_BATCH_CONTEXT).tag(b"message")
    assert not TagKeys([KEY], SNAPSHOT_CONTEXT).verifies(b"message", tag)
    assert not TagKeys([OTHER], ACCESS_BATCH_CONTEXT).verifies(b"message", tag)


def test_keys_are_rotated_one_after_the_other() -> None:
    old, both, new = (TagKeys(keys, SNAPSHOT_CONTEXT) for keys in ([KEY], [OTHER, KEY], [OTHER]))
    assert both.verifies(b"m", old.tag(b"m"))
    assert new.verifies(b"m", both.tag(b"m")), "the first key tags"
    assert not new.verifies(b"m", old.tag(b"m"))


def test_the_key_is_derived_as_said() -> None:
    """RFC 5869 with SHA-256, no salt, the context as info; RFC 2104 with SHA-256."""
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"querygateway/snapshot/1").derive(
        base64.urlsafe_b64decode(KEY)
    )
    assert TagKeys([KEY], SNAPSHOT_CONTEXT).tag(b"m") == hmac.new(derived, b"m", hashlib.sha256).digest()


@pytest.mark.parametrize("keys", [[], ["short"], ["ä" * 43], [KEY, "x" * 44]])
def test_what_is_no_key_is_refused_and_never_repeated(keys: list[str]) -> None:
    with pytest.raises(KeyInvalid) as refused:
        TagKeys(keys, SNAPSHOT_CONTEXT)
    assert not any(key in str(refused.value) for key in keys)
    assert KEY not in repr(TagKeys([KEY], SNAPSHOT_CONTEXT))


def test_a_keys_name_is_its_own_and_tells_nothing_of_it() -> None:
    ids = seal_key_ids([KEY, OTHER])
    assert ids == (*seal_key_ids([KEY]), *seal_key_ids([OTHER]))
    assert len(set(ids)) == 2
    assert all(len(name) == 16 for name in ids)
    raw = base64.urlsafe_b64decode(KEY)
    assert ids[0] not in raw.hex()
    assert ids[0] != hashlib.sha256(raw).hexdigest()[:16]
