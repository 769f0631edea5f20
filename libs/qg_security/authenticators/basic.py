"""`basic`: user name and password in the Authorization header (RFC 7617, charset UTF-8)."""

import base64
import binascii
import re
from collections.abc import Mapping

import msgspec

from qg_core.header_fields import HeaderFields
from qg_core.specs import AuthMethodSpec
from qg_security.authenticators.base import (
    CLAIMED_LENGTH_MAX,
    EXPIRED,
    Accepted,
    AuthParts,
    CompiledCredential,
    MethodBase,
    Refusal,
    until,
)
from qg_security.flights import Flights
from qg_security.principals import Principal

ENCODED_BYTES_MAX = 2_048

_CONTROLS = re.compile("[\x00-\x1f\x7f]")


class UserAndPassword(msgspec.Struct, frozen=True):
    """What a Basic header says."""

    user: str
    password: bytes

    def __repr__(self) -> str:
        return f"UserAndPassword(user={self.user!r}, ...)"


def read_basic(encoded: bytes) -> UserAndPassword | None:
    """The user and the password of a Basic credential, or None when it isn't one.

    Strict base64 (standard alphabet, padded, one spelling per value), UTF-8, a colon, a user name, no control
    characters. The password may contain colons.
    """
    if len(encoded) > ENCODED_BYTES_MAX:
        return None
    try:
        decoded = base64.b64decode(encoded, validate=True)
        if base64.b64encode(decoded) != encoded:
            return None
        text = decoded.decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    user, colon, password = text.partition(":")
    if not colon or not user or _CONTROLS.search(text):
        return None
    return UserAndPassword(user, password.encode("utf-8"))


class BasicAuthenticator(MethodBase):
    """Compares with bcrypt hashes; an unknown user costs what a wrong password costs."""

    challenge = 'Basic realm="querygateway", charset="UTF-8"'
    missing_detail = "Basic credentials required."

    def __init__(
        self,
        method: AuthMethodSpec,
        method_digest: str,
        credentials: Mapping[str, CompiledCredential],
        parts: AuthParts,
    ) -> None:
        super().__init__(method, method_digest, credentials, parts)
        by_id = sorted(self._credentials.values(), key=lambda credential: credential.spec.id)
        self._by_user = {credential.spec.consumer: credential for credential in by_id}
        # Per authenticator, so that a check begun under an older catalog never answers for a newer one.
        self._flights: Flights[Accepted | Refusal] = Flights()

    def read(self, fields: HeaderFields) -> bytes:
        return self._after_scheme(fields, b"basic")

    def claimed(self, presented: bytes) -> str:
        found = read_basic(presented)
        return "" if found is None else found.user[:CLAIMED_LENGTH_MAX]

    async def verify(self, presented: bytes, now: float) -> Principal:
        found = read_basic(presented)
        if found is None:
            raise self._malformed("malformed_basic")
        outcome = await self._flights.join(self._key_of(presented), lambda: self._checked(found, now))
        return self._settle(presented, outcome)

    async def _checked(self, found: UserAndPassword, now: float) -> Accepted | Refusal:
        credential = self._by_user.get(found.user)
        if credential is None or credential.secret is None:
            await self._parts.checker.burn(found.password)
            return Refusal("unknown_user")
        if not await self._parts.checker.check(found.password, credential.secret.bcrypt_hash):
            return Refusal("wrong_password")
        expires_at = until(credential)
        return EXPIRED if now >= expires_at else Accepted(credential, expires_at)
