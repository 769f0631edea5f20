"""Making secrets of consumers: what is shown once, and what is kept of it. The slow part runs in a thread."""

import asyncio
import secrets

import msgspec

from qg_core.errors import FieldProblem, InvalidInput
from qg_core.specs import AuthMethodSecret, CredentialSecret, SpecKind, sealed_row
from qg_security.api_keys import mint
from qg_security.keys import new_hmac_secret
from qg_security.passwords import hash_password
from qg_security.sealing import Sealer
from qg_store.models import AuthMethod


class Minted(msgspec.Struct, frozen=True):
    """A new secret: `shown` goes to the admin once, `sealed` into `Credential.sealed`."""

    credential_id: str
    shown: str
    sealed: str

    def __repr__(self) -> str:
        return "Minted(...)"


def new_method_secret(method_id: str, sealer: Sealer) -> tuple[AuthMethodSecret, str]:
    """A fresh HMAC secret of a method, opened and sealed."""
    secret = AuthMethodSecret(new_hmac_secret())
    return secret, sealer.seal(sealed_row(SpecKind.AUTH_METHOD, method_id), secret)


def method_secret(method: AuthMethod, sealer: Sealer) -> AuthMethodSecret:
    """The opened HMAC secret of a stored method. Raises `SealBroken`."""
    return sealer.open(sealed_row(SpecKind.AUTH_METHOD, method.id), method.sealed or "", AuthMethodSecret)


async def mint_key(prefix: str, credential_id: str, secret: AuthMethodSecret, sealer: Sealer) -> Minted:
    """A new API key (192 random bits)."""
    minted = mint(prefix, credential_id, secret.hmac_secret)
    return Minted(credential_id, minted.key, await sealed_password(credential_id, minted.secret_part, sealer))


async def mint_password(credential_id: str, sealer: Sealer) -> Minted:
    """A new random password for a `basic` user."""
    password = secrets.token_urlsafe(24)
    return Minted(credential_id, password, await sealed_password(credential_id, password, sealer))


async def sealed_password(credential_id: str, password: str, sealer: Sealer) -> str:
    """The sealed bcrypt hash of `password` for a credential. Raises `InvalidInput`."""
    try:
        bcrypt_hash = await asyncio.to_thread(hash_password, password)
    except ValueError as error:
        raise InvalidInput([FieldProblem("password", str(error))]) from None
    return sealer.seal(sealed_row(SpecKind.CREDENTIAL, credential_id), CredentialSecret(bcrypt_hash))
