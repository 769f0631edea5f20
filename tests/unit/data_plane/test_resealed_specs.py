"""A rotation of keys seals the same secrets again: whoever was verified before stays verified, and nobody else."""

import msgspec

from data_plane.catalogs.compiled import CompiledMethod, compile_spec
from qg_core.revisions import SubjectKey
from qg_core.specs import (
    SPEC_FORMAT,
    AuthMethodSecret,
    AuthMethodSpec,
    CredentialSecret,
    CredentialSpec,
    MethodType,
    encode_spec,
    sealed_row,
)
from qg_security.api_keys import mint
from qg_security.authenticators import AuthParts, CompiledCredential, compile_authenticator
from qg_security.authenticators.base import Authenticator
from qg_security.passwords import PasswordChecker, hash_password
from qg_security.sealing import Sealer, new_fernet_key
from qg_security.verified_cache import VerifiedCache

METHOD = "5f3f2b77-0f0f-4b57-a3f3-0b54d2a7a6a1"
CREDENTIAL = "8a4c7a52-25a1-4b7e-8b0f-2f2f62a5d0c3"
HMAC = "ab" * 64
OLD, NEW = new_fernet_key(), new_fernet_key()
KEY = mint("qg_", CREDENTIAL, HMAC)
HASHED = hash_password(KEY.secret_part)

method_spec = AuthMethodSpec(
    format=SPEC_FORMAT,
    id=METHOD,
    name="keys",
    method_type=MethodType.API_KEY,
    algorithm=None,
    key_prefix="qg_",
    sealed=None,
)
credential_spec = CredentialSpec(
    format=SPEC_FORMAT,
    id=CREDENTIAL,
    auth_method_id=METHOD,
    method_type=MethodType.API_KEY,
    consumer="acme",
    expires_at=None,
    sealed=None,
)


def method(sealer: Sealer, hmac_secret: str = HMAC) -> CompiledMethod:
    sealed = sealer.seal(sealed_row(method_spec.kind_, METHOD), AuthMethodSecret(hmac_secret))
    body = encode_spec(msgspec.structs.replace(method_spec, sealed=sealed))
    found = compile_spec(SubjectKey("auth_method", METHOD), body, sealer)
    assert isinstance(found, CompiledMethod)
    return found


def credential(sealer: Sealer, bcrypt_hash: str = HASHED, consumer: str = "acme") -> CompiledCredential:
    sealed = sealer.seal(sealed_row(credential_spec.kind_, CREDENTIAL), CredentialSecret(bcrypt_hash))
    body = encode_spec(msgspec.structs.replace(credential_spec, sealed=sealed, consumer=consumer))
    found = compile_spec(SubjectKey("credential", CREDENTIAL), body, sealer)
    assert isinstance(found, CompiledCredential)
    return found


def test_another_seal_is_the_same_and_another_content_is_not() -> None:
    old, new = Sealer([OLD]), Sealer([NEW, OLD])
    assert method(old).digest == method(old).digest == method(new).digest
    assert credential(old).digest == credential(new).digest
    assert method(old).digest != method(old, "cd" * 64).digest
    digests = {credential(old).digest, credential(old, "$2b$12$other").digest, credential(old, consumer="b").digest}
    assert len(digests) == 3


async def test_a_verified_key_stays_verified_over_a_rotation() -> None:
    """Else every consumer's next request would cost a bcrypt, all of them at once."""
    checker = PasswordChecker(threads=1)
    parts = AuthParts(checker, VerifiedCache(10))

    def authenticator(sealer: Sealer, bcrypt_hash: str = HASHED) -> Authenticator:
        compiled = method(sealer)
        credentials = {CREDENTIAL: credential(sealer, bcrypt_hash)}
        return compile_authenticator(compiled.spec, compiled.digest, compiled.secret, credentials, parts)

    try:
        presented = KEY.key.encode()
        principal = await authenticator(Sealer([OLD])).verify(presented, 0.0)
        assert authenticator(Sealer([NEW, OLD])).recall(presented, 0.0) == principal
        assert authenticator(Sealer([NEW]), "$2b$12$" + "a" * 53).recall(presented, 0.0) is None, "another secret"
    finally:
        checker.close()
