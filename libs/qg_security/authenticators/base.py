"""What the three kinds of authenticators share: headers in, a principal out, and the memory in between."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from qg_core.errors import CredentialExpired, CredentialInvalid, CredentialMissing
from qg_core.header_fields import HeaderFields
from qg_core.specs import AuthMethodSpec, CredentialSecret, CredentialSpec, MethodType
from qg_security.passwords import PasswordChecker
from qg_security.principals import Principal
from qg_security.verified_cache import NEVER, VerifiedCache, VerifiedEntry

CLAIMED_LENGTH_MAX = 64


class CompiledCredential(msgspec.Struct, frozen=True):
    """A credential ready to be compared with; `expires_at` in Unix seconds or null."""

    spec: CredentialSpec
    digest: str
    secret: CredentialSecret | None
    expires_at: float | None


def compile_credential(spec: CredentialSpec, digest: str, secret: CredentialSecret | None) -> CompiledCredential:
    """Raises `ValueError` when `expires_at` is no time with a zone: such a credential must not be used at all."""
    expires_at = None
    if spec.expires_at is not None:
        moment = datetime.fromisoformat(spec.expires_at)
        if moment.tzinfo is None:
            raise ValueError(f"credential {spec.id}: expires_at has no zone")
        expires_at = moment.timestamp()
    return CompiledCredential(spec, digest, secret, expires_at)


class AuthParts(msgspec.Struct, frozen=True):
    """What all authenticators of a process share."""

    checker: PasswordChecker
    cache: VerifiedCache


class Authenticator(Protocol):
    """How one auth method tells who calls. All methods but `verify` cost microseconds."""

    @property
    def method_id(self) -> str:
        """The id of the auth method."""
        ...

    @property
    def method_type(self) -> MethodType:
        """Its type."""
        ...

    @property
    def challenge(self) -> str:
        """The value of `WWW-Authenticate`."""
        ...

    @property
    def missing_detail(self) -> str:
        """What to say to a caller without a credential."""
        ...

    def read(self, fields: HeaderFields) -> bytes:
        """The presented credential. Raises `CredentialMissing`, or `CredentialInvalid` for a repeated header."""
        ...

    def claimed(self, presented: bytes) -> str:
        """Who the caller says it is, for counting failures; at most 64 characters, "" when that can't be told.

        A name that anybody can claim (`basic`) must be counted together with the address, or one caller could lock
        out another.
        """
        ...

    def recall(self, presented: bytes, now: float) -> Principal | None:
        """The principal of a credential that was verified before and still is good; `now` in Unix seconds."""
        ...

    async def verify(self, presented: bytes, now: float) -> Principal:
        """The principal. Raises `CredentialInvalid`, `CredentialExpired` (both with `reason`) or `SignInBusy`."""
        ...


class Refusal(msgspec.Struct, frozen=True):
    """Why a presented credential is no good: a slug for the event."""

    reason: str
    expired: bool = False


EXPIRED = Refusal("expired", expired=True)


class Accepted(msgspec.Struct, frozen=True):
    """A credential that is good until `expires_at` (Unix seconds)."""

    credential: CompiledCredential
    expires_at: float


class MethodBase:
    """State and steps common to the authenticators of all types."""

    challenge = "Bearer"
    missing_detail = ""

    def __init__(
        self,
        method: AuthMethodSpec,
        method_digest: str,
        credentials: Mapping[str, CompiledCredential],
        parts: AuthParts,
    ) -> None:
        self.method_id = method.id
        self.method_type = method.method_type
        self._method_digest = method_digest
        # Whatever the caller passed: a credential of another method or type opens nothing here.
        self._credentials = {
            credential.spec.id: credential
            for credential in credentials.values()
            if credential.spec.auth_method_id == method.id and credential.spec.method_type == method.method_type
        }
        self._parts = parts
        self._hash = parts.cache.keyed_hash(method.id)

    def recall(self, presented: bytes, now: float) -> Principal | None:
        """The principal of a credential that was verified before and still is good; `now` in Unix seconds."""
        key = self._key_of(presented)
        entry = self._parts.cache.get(key)
        if entry is None:
            return None
        current = self._credentials.get(entry.principal.credential_id)
        if (
            current is None
            or entry.credential_digest != current.digest
            or entry.method_digest != self._method_digest
            or now >= entry.expires_at
        ):
            self._parts.cache.drop(key)
            return None
        return entry.principal

    def _key_of(self, presented: bytes) -> bytes:
        started = self._hash.copy()
        started.update(presented)
        return started.digest()

    def _settle(self, presented: bytes, outcome: Accepted | Refusal) -> Principal:
        """Remember and return a success, raise a refusal."""
        if isinstance(outcome, Refusal):
            kind = CredentialExpired if outcome.expired else CredentialInvalid
            raise kind(challenge=self.challenge, reason=outcome.reason)
        spec = outcome.credential.spec
        principal = Principal(spec.method_type, self.method_id, spec.id, spec.consumer)
        entry = VerifiedEntry(principal, self._method_digest, outcome.credential.digest, outcome.expires_at)
        self._parts.cache.put(self._key_of(presented), entry)
        return principal

    def _missing(self) -> CredentialMissing:
        return CredentialMissing(self.missing_detail, challenge=self.challenge)

    def _malformed(self, reason: str) -> CredentialInvalid:
        return CredentialInvalid(challenge=self.challenge, reason=reason)

    def _field(self, fields: HeaderFields, name: bytes) -> bytes:
        """The only value of a header. Two of them are refused: which one counts would be anybody's guess."""
        value = fields.get(name)
        if value is None:
            raise self._missing()
        if name in fields.repeated:
            raise self._malformed("repeated_header")
        return value

    def _after_scheme(self, fields: HeaderFields, scheme: bytes) -> bytes:
        """What follows `<scheme> ` in the Authorization header, whatever the case of the scheme."""
        value = self._field(fields, b"authorization")
        if value[: len(scheme) + 1].lower() != scheme + b" ":
            raise self._missing()
        presented = value[len(scheme) + 1 :].lstrip(b" ")
        if not presented:
            raise self._missing()
        return presented


def until(credential: CompiledCredential) -> float:
    """When a credential ends by itself, in Unix seconds."""
    return NEVER if credential.expires_at is None else credential.expires_at
