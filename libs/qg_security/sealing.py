"""Secrets sealed for one row: Fernet tokens whose plaintext names the row they belong to.

Fernet has no associated data, so the row's name travels inside: a token moved to another row does not open there.
"""

import hmac
from collections.abc import Sequence
from typing import TypeVar

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from qg_security.keys import KeyInvalid

SecretT = TypeVar("SecretT", bound=msgspec.Struct)


class SealBroken(ValueError):
    """The token does not open here: another key, altered bytes, another row, or another kind of secret."""


class _Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    row: str
    secret: msgspec.Raw


_sealed_decoder = msgspec.json.Decoder(_Sealed)
_encode = msgspec.json.Encoder().encode


def new_fernet_key() -> str:
    """A new key for `ENCRYPTION_KEY` or `BUNDLE_SEAL_KEY`."""
    return Fernet.generate_key().decode("ascii")


class Sealer:
    """Seals with the first of `keys` and opens with any of them.

    Raises `KeyInvalid` when there is no key or one is not a Fernet key (32 bytes in urlsafe base64).
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise KeyInvalid("at least one Fernet key is needed")
        fernets = [_fernet_of(key) for key in keys]
        self._newest = fernets[0]
        self._fernets = MultiFernet(fernets)

    def __repr__(self) -> str:
        return "Sealer(...)"

    def seal(self, row: str, secret: msgspec.Struct) -> str:
        """Seal `secret` for `row` (`qg_core.specs.sealed_row`)."""
        plaintext = _encode(_Sealed(row=row, secret=msgspec.Raw(_encode(secret))))
        return self._fernets.encrypt(plaintext).decode("ascii")

    def open(self, row: str, token: str, secret_type: type[SecretT]) -> SecretT:
        """The secret that was sealed for `row`. Raises `SealBroken`; its message holds nothing of the plaintext."""
        sealed = _opened(row, self._plaintext(row, token))
        try:
            return msgspec.json.decode(sealed.secret, type=secret_type)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise SealBroken(f"the sealed secret of {row} is not a {secret_type.__name__}") from None

    def is_newest(self, token: str) -> bool:
        """Whether the first key sealed this; False when it was another one, or nobody."""
        try:
            self._newest.decrypt(token.encode("utf-8", "replace"))
        except InvalidToken:
            return False
        return True

    def seal_again(self, row: str, token: str) -> str:
        """The same secret of the same row under the first key, whatever kind of secret it is. Raises `SealBroken`."""
        plaintext = self._plaintext(row, token)
        _opened(row, plaintext)
        return self._newest.encrypt(plaintext).decode("ascii")

    def _plaintext(self, row: str, token: str) -> bytes:
        try:
            return self._fernets.decrypt(token.encode("utf-8", "replace"))
        except InvalidToken:
            raise SealBroken(f"the sealed secret of {row} does not open with any of the keys") from None


def _opened(row: str, plaintext: bytes) -> _Sealed:
    try:
        sealed = _sealed_decoder.decode(plaintext)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise SealBroken(f"the sealed secret of {row} is malformed") from None
    if not hmac.compare_digest(sealed.row.encode(), row.encode()):
        raise SealBroken(f"the sealed secret of {row} belongs to another row")
    return sealed


def _fernet_of(key: str) -> Fernet:
    try:
        return Fernet(key.strip().encode("ascii"))
    except ValueError:
        raise KeyInvalid("a Fernet key must be 32 bytes in urlsafe base64") from None
