"""The keys and passwords of one stack: random each time it starts, and gone with it."""

import secrets
from dataclasses import dataclass, field

from cryptography.fernet import Fernet

from qg_security.signing import generate_signing_key

_PASSWORD_BYTES = 18


def new_password() -> str:
    """24 characters that need no quoting in a shell, a URL or a header; the first one is never a dash."""
    return "p" + secrets.token_urlsafe(_PASSWORD_BYTES)[1:]


def new_fernet_key() -> str:
    """A key for sealing."""
    return Fernet.generate_key().decode("ascii")


@dataclass(frozen=True, repr=False)
class StackSecrets:
    """Everything secret that the services share. Has no repr: it must not end up in a log by accident."""

    signing_pair: tuple[str, str] = field(default_factory=generate_signing_key)
    encryption_key: str = field(default_factory=new_fernet_key)
    seal_key: str = field(default_factory=new_fernet_key)
    jwt_secret_key: str = field(default_factory=lambda: secrets.token_hex(64))
    admin_password: str = field(default_factory=new_password)
    database_password: str = field(default_factory=new_password)
    worker_database_password: str = field(default_factory=new_password)
    suffix: str = field(default_factory=lambda: secrets.token_hex(4))
