"""`bearer`: a JWT of this auth method in the Authorization header (RFC 6750)."""

import re
from collections.abc import Mapping

from qg_core.header_fields import HeaderFields
from qg_core.specs import AuthMethodSecret, AuthMethodSpec
from qg_security.authenticators.base import (
    EXPIRED,
    Accepted,
    AuthParts,
    CompiledCredential,
    MethodBase,
    Refusal,
    until,
)
from qg_security.claims import TokenExpired, TokenInvalid
from qg_security.keys import KeyInvalid
from qg_security.principals import Principal
from qg_security.tokens import token_key, verify_with

_JWT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")


class BearerAuthenticator(MethodBase):
    """Raises `KeyInvalid` when the method has no usable secret or algorithm."""

    challenge = "Bearer"
    missing_detail = "Bearer token required."

    def __init__(
        self,
        method: AuthMethodSpec,
        method_digest: str,
        secret: AuthMethodSecret | None,
        credentials: Mapping[str, CompiledCredential],
        parts: AuthParts,
    ) -> None:
        super().__init__(method, method_digest, credentials, parts)
        if secret is None or method.algorithm is None:
            raise KeyInvalid("a bearer method needs a secret and an algorithm")
        self._algorithm = method.algorithm
        self._key = token_key(secret.hmac_secret, method.algorithm)

    def read(self, fields: HeaderFields) -> bytes:
        return self._after_scheme(fields, b"bearer")

    def claimed(self, presented: bytes) -> str:  # noqa: ARG002 -- the same form for every authenticator
        """Nobody: tokens can't be found by trying, so failures are counted per address alone."""
        return ""

    async def verify(self, presented: bytes, now: float) -> Principal:
        return self._settle(presented, self._checked(presented, now))

    def _checked(self, token: bytes, now: float) -> Accepted | Refusal:
        if not _JWT.match(token):
            return Refusal("malformed_token")
        try:
            claims = verify_with(token, self.method_id, self._algorithm, self._key, now)
        except TokenExpired:
            return EXPIRED
        except TokenInvalid as error:
            return Refusal(error.reason)
        credential = self._credentials.get(claims.cid)
        if credential is None:
            return Refusal("revoked")
        if claims.sub != credential.spec.consumer:
            return Refusal("wrong_subject")
        expires_at = min(float(claims.exp), until(credential))
        return EXPIRED if now >= expires_at else Accepted(credential, expires_at)
