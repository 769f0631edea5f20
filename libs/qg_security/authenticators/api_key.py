"""`api_key`: a key in the X-Api-Key header; never in a query string."""

from collections.abc import Mapping

from qg_core.header_fields import HeaderFields
from qg_core.specs import AuthMethodSecret, AuthMethodSpec
from qg_security.api_keys import KeyMalformed, ParsedKey, parse_with
from qg_security.authenticators.base import (
    EXPIRED,
    Accepted,
    AuthParts,
    CompiledCredential,
    MethodBase,
    Refusal,
    until,
)
from qg_security.flights import Flights
from qg_security.keys import KeyInvalid, hmac_key
from qg_security.principals import Principal


class ApiKeyAuthenticator(MethodBase):
    """Raises `KeyInvalid` when the method has no usable secret or prefix."""

    challenge = "ApiKey"
    missing_detail = "API key required (X-Api-Key header)."

    def __init__(
        self,
        method: AuthMethodSpec,
        method_digest: str,
        secret: AuthMethodSecret | None,
        credentials: Mapping[str, CompiledCredential],
        parts: AuthParts,
    ) -> None:
        super().__init__(method, method_digest, credentials, parts)
        if secret is None or method.key_prefix is None or not method.key_prefix.isascii():
            raise KeyInvalid("an api_key method needs a secret and a prefix")
        self._prefix = method.key_prefix.encode("ascii")
        self._key = hmac_key(secret.hmac_secret)
        self._flights: Flights[Accepted | Refusal] = Flights()

    def read(self, fields: HeaderFields) -> bytes:
        presented = self._field(fields, b"x-api-key")
        if not presented:
            raise self._missing()
        return presented

    def claimed(self, presented: bytes) -> str:
        """The credential's id, only if the key was minted: nobody can make failures count for a key they don't have."""
        try:
            return parse_with(presented, self._prefix, self._key).credential_id
        except KeyMalformed:
            return ""

    async def verify(self, presented: bytes, now: float) -> Principal:
        try:
            parsed = parse_with(presented, self._prefix, self._key)
        except KeyMalformed:
            raise self._malformed("never_minted") from None
        outcome = await self._flights.join(self._key_of(presented), lambda: self._checked(parsed, now))
        return self._settle(presented, outcome)

    async def _checked(self, parsed: ParsedKey, now: float) -> Accepted | Refusal:
        # The tag has shown that we minted this key, so that its holder may learn at once that it has ended.
        credential = self._credentials.get(parsed.credential_id)
        if credential is None or credential.secret is None:
            return Refusal("revoked")
        expires_at = until(credential)
        if now >= expires_at:
            return EXPIRED
        if not await self._parts.checker.check(parsed.secret_part, credential.secret.bcrypt_hash):
            return Refusal("wrong_secret")
        return Accepted(credential, expires_at)
