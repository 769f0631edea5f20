"""From a published auth method to something that tells who calls; one module per type."""

from collections.abc import Mapping

from qg_core.specs import AuthMethodSecret, AuthMethodSpec, MethodType
from qg_security.authenticators.api_key import ApiKeyAuthenticator
from qg_security.authenticators.base import (
    Authenticator,
    AuthParts,
    CompiledCredential,
    compile_credential,
)
from qg_security.authenticators.basic import BasicAuthenticator
from qg_security.authenticators.bearer import BearerAuthenticator

__all__ = [
    "AuthParts",
    "Authenticator",
    "CompiledCredential",
    "compile_authenticator",
    "compile_credential",
]


def compile_authenticator(
    method: AuthMethodSpec,
    method_digest: str,
    secret: AuthMethodSecret | None,
    credentials: Mapping[str, CompiledCredential],
    parts: AuthParts,
) -> Authenticator:
    """The authenticator of a method and its credentials (by id); made once per change of either.

    Raises `KeyInvalid` when the method can't work (no secret, a short one, an unknown algorithm): every endpoint of it
    must then refuse everybody.
    """
    if method.method_type is MethodType.BEARER:
        return BearerAuthenticator(method, method_digest, secret, credentials, parts)
    if method.method_type is MethodType.API_KEY:
        return ApiKeyAuthenticator(method, method_digest, secret, credentials, parts)
    return BasicAuthenticator(method, method_digest, credentials, parts)
