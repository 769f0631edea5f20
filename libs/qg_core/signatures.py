"""The seam between who signs or tags (qg_security) and what is signed or tagged (qg_bundle)."""

from typing import Protocol

import msgspec


class Signature(msgspec.Struct, frozen=True, array_like=True):
    """An Ed25519 signature and the id of the key that made it."""

    key_id: str
    value: bytes


class SignatureInvalid(ValueError):
    """The signature does not verify under any trusted key, for this context and gateway."""


class Signer(Protocol):
    @property
    def key_id(self) -> str:
        """The id of the key that signs."""
        ...

    def sign(self, context: str, gateway_id: str, payload: bytes) -> Signature:
        """Sign `payload` as `context` of `gateway_id`."""
        ...


class Verifier(Protocol):
    def verify(self, context: str, gateway_id: str, payload: bytes, signature: Signature) -> None:
        """Raise `SignatureInvalid` unless a trusted key signed exactly this."""
        ...


class Tagger(Protocol):
    """Symmetric tags, for what the holders of one key write for each other (`qg_security.tags`)."""

    def tag(self, message: bytes) -> bytes:
        """The tag of `message`, 32 bytes."""
        ...

    def verifies(self, message: bytes, tag: bytes) -> bool:
        """Whether `tag` was made for exactly this message by somebody who holds one of the keys."""
        ...
