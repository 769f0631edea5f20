"""Auth methods, credentials and authenticators for the tests: bcrypt at its lowest cost, everything else real."""

import base64
import uuid

import bcrypt

from qg_core.specs import AuthMethodSecret, AuthMethodSpec, CredentialSecret, CredentialSpec, MethodType
from qg_security.api_keys import mint
from qg_security.authenticators import (
    Authenticator,
    AuthParts,
    CompiledCredential,
    compile_authenticator,
    compile_credential,
)
from qg_security.keys import new_hmac_secret
from qg_security.passwords import PasswordChecker
from qg_security.tokens import issue_token
from qg_security.verified_cache import VerifiedCache

NOW = 1_800_000_000.0
SECRET = AuthMethodSecret(new_hmac_secret())
PASSWORD = "p:w:ä"


def make_parts(**limits: int) -> AuthParts:
    return AuthParts(PasswordChecker(**limits), VerifiedCache())


def make_method(method_type: MethodType, algorithm: str = "HS256") -> AuthMethodSpec:
    return AuthMethodSpec(
        format=1,
        id=str(uuid.uuid4()),
        name="sample",
        method_type=method_type,
        algorithm=algorithm if method_type is MethodType.BEARER else None,
        key_prefix="qg_" if method_type is MethodType.API_KEY else None,
        sealed=None,
    )


def quick_hash(plain: str, cost: int = 4) -> str:
    return bcrypt.hashpw(plain.encode(), bcrypt.gensalt(cost)).decode()


class Sample:
    """One method with one credential, what its consumer presents, and ways to recompile it."""

    def __init__(self, method_type: MethodType, *, expires_at: str | None = None, cost: int = 4) -> None:
        self.method = make_method(method_type)
        self.spec = CredentialSpec(
            format=1,
            id=str(uuid.uuid4()),
            auth_method_id=self.method.id,
            method_type=method_type,
            consumer="erp",
            expires_at=expires_at,
            sealed=None,
        )
        bcrypt_hash: str | None = None
        if method_type is MethodType.API_KEY:
            minted = mint("qg_", self.spec.id, SECRET.hmac_secret)
            self.header = (b"x-api-key", minted.key.encode())
            bcrypt_hash = quick_hash(minted.secret_part, cost)
        elif method_type is MethodType.BASIC:
            self.header = basic_header(f"erp:{PASSWORD}")
            bcrypt_hash = quick_hash(PASSWORD, cost)
        else:
            self.header = (b"authorization", b"Bearer " + self.token(expires_in_s=600))
        self.secret = CredentialSecret(bcrypt_hash) if bcrypt_hash is not None else None

    def token(self, *, expires_in_s: int, consumer: str = "erp", credential_id: str | None = None) -> bytes:
        token, _ = issue_token(
            self.method.id,
            "HS256",
            SECRET.hmac_secret,
            consumer=consumer,
            credential_id=credential_id or self.spec.id,
            expires_in_s=expires_in_s,
            now=NOW,
        )
        return token.encode()

    def credential(self, digest: str = "c1") -> CompiledCredential:
        return compile_credential(self.spec, digest, self.secret)

    def authenticator(
        self,
        parts: AuthParts,
        *,
        method_digest: str = "m1",
        credential_digest: str = "c1",
        revoked: bool = False,
        secret: AuthMethodSecret = SECRET,
    ) -> Authenticator:
        credentials = {} if revoked else {self.spec.id: self.credential(credential_digest)}
        return compile_authenticator(self.method, method_digest, secret, credentials, parts)


def basic_header(user_and_password: str | bytes) -> tuple[bytes, bytes]:
    raw = user_and_password.encode() if isinstance(user_and_password, str) else user_and_password
    return (b"authorization", b"Basic " + base64.b64encode(raw))
