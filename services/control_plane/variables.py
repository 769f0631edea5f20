"""The control plane's environment variables: name, how the text is read, default, what docs/settings.md says of it."""

from qg_core.client_address import parse_networks
from qg_core.environment import Variable, boolean, integer, listed
from qg_core.service_variables import (
    checked,
    gateway_id,
    keys,
    listener_variables,
    origins,
    process_variables,
    redis_url,
)
from qg_oracle.hosts import parse_allowed
from qg_security.admin_tokens import admin_keys
from qg_security.passwords import is_bcrypt_hash
from qg_security.sealing import Sealer
from qg_security.signing import Ed25519Signer, Ed25519Verifier
from qg_store.engine import asyncpg_url

_USERNAME_LENGTH_MAX = 255


def _verify_keys(value: str) -> tuple[str, ...]:
    found = listed(value)
    if found:
        Ed25519Verifier(found)
    return found


def _username(value: str) -> str:
    if not 1 <= len(value) <= _USERNAME_LENGTH_MAX or not value.isprintable() or not value.strip():
        raise ValueError(f"must be 1 to {_USERNAME_LENGTH_MAX} printable characters")
    return value


def _bcrypt_hash(value: str) -> str:
    if not is_bcrypt_hash(value):
        raise ValueError("must be a bcrypt hash ($2b$12$...); `querygateway hash-password` makes one")
    return value


VARIABLES: tuple[Variable, ...] = (
    Variable(
        name="GATEWAY_ID",
        field="gateway_id",
        parse=gateway_id,
        description="Names the gateway; bound into every signature and kept in Postgres, which must agree.",
    ),
    Variable(
        name="DATABASE_URL",
        field="database_url",
        parse=checked(asyncpg_url),
        secret=True,
        description="Postgres, `postgresql://...`, as a user in the group `qg_app`.",
    ),
    Variable(
        name="DATABASE_CONNECTIONS_MAX",
        field="database_connections_max",
        parse=integer(2, 1_000),
        default="10",
        description="Connections to Postgres.",
    ),
    Variable(
        name="REDIS_URL",
        field="redis_url",
        parse=redis_url,
        secret=True,
        description="Where the bundle is published; its eviction policy must be `noeviction`.",
    ),
    Variable(
        name="ENCRYPTION_KEY",
        field="encryption_keys",
        parse=keys(Sealer),
        secret=True,
        description="Fernet keys, comma separated, for secrets in Postgres: the first seals, all open.",
    ),
    Variable(
        name="BUNDLE_SEAL_KEY",
        field="bundle_seal_keys",
        parse=keys(Sealer),
        secret=True,
        description="Fernet keys, comma separated, for secrets inside specs: the first seals.",
    ),
    Variable(
        name="BUNDLE_SIGNING_KEY",
        field="bundle_signing_key",
        parse=checked(Ed25519Signer),
        secret=True,
        description="Ed25519 private key that signs deltas, checkpoints and beacons.",
    ),
    Variable(
        name="BUNDLE_VERIFY_KEYS",
        field="bundle_verify_keys",
        parse=_verify_keys,
        default="",
        description="Ed25519 public keys, comma separated, of this and former signing keys; its own is always trusted.",
    ),
    Variable(
        name="JWT_SECRET_KEY",
        field="jwt_secret_keys",
        parse=keys(admin_keys),
        secret=True,
        description="Secrets of at least 32 bytes, comma separated, for admins' tokens: the first signs, all verify.",
    ),
    Variable(
        name="ADMIN_USERNAME",
        field="admin_username",
        parse=_username,
        description="The first admin; taken when this or the hash differs from what was taken last.",
    ),
    Variable(
        name="ADMIN_PASSWORD_HASH",
        field="admin_password_hash",
        parse=_bcrypt_hash,
        secret=True,
        description="The first admin's bcrypt hash, from `querygateway hash-password`.",
    ),
    Variable(
        name="ADMIN_TOKEN_EXPIRES_S",
        field="admin_token_expires_s",
        parse=integer(60, 86_400),
        default="28800",
        description="Seconds that an admin's token is good for.",
    ),
    Variable(
        name="SIGN_IN_FAILURES_WINDOW_S",
        field="sign_in_failures_window_s",
        parse=integer(1, 86_400),
        default="300",
        description="Seconds over which admins' failed sign-ins are counted.",
    ),
    Variable(
        name="SIGN_IN_FAILURES_USER_MAX",
        field="sign_in_failures_user_max",
        parse=integer(1, 1_000_000),
        default="10",
        description="Failed sign-ins of one user name from one address within the window; then 429.",
    ),
    Variable(
        name="SIGN_IN_FAILURES_ADDRESS_MAX",
        field="sign_in_failures_address_max",
        parse=integer(1, 1_000_000),
        default="50",
        description="Failed sign-ins from one address (IPv6: one /64) within the window; then 429.",
    ),
    Variable(
        name="BCRYPT_THREADS",
        field="bcrypt_threads",
        parse=integer(1, 64),
        default="1",
        description="Threads that check passwords; each check takes a quarter of a second of CPU.",
    ),
    Variable(
        name="BCRYPT_QUEUE_MAX",
        field="bcrypt_queue_max",
        parse=integer(1, 10_000),
        default="32",
        description="Checks that may wait; further ones are answered 503 `sign_in_busy`.",
    ),
    Variable(
        name="ORACLE_HOSTS_ALLOWED",
        field="oracle_hosts_allowed",
        parse=lambda value: parse_allowed(listed(value)),
        default="",
        description="Host name suffixes and CIDRs, comma separated, where connections may point; empty: anywhere.",
    ),
    Variable(
        name="TRUSTED_PROXIES",
        field="trusted_proxies",
        parse=lambda value: parse_networks(listed(value)),
        default="",
        description="CIDRs, comma separated, of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
    ),
    Variable(
        name="SECURITY_HEADERS",
        field="security_headers",
        parse=boolean,
        default="true",
        description="Whether answers carry the security headers (nosniff, frame options, CSP, HSTS behind HTTPS).",
    ),
    Variable(
        name="CORS_ORIGINS",
        field="cors_origins",
        parse=origins,
        default="",
        description="Origins, comma separated, whose pages may call the admin API; empty: none.",
    ),
    *listener_variables(port=8000, port_for="Port of the admin API."),
    *process_variables(ops_port=9000),
    Variable(
        name="QG_FAULT_POINT",
        field="fault_point",
        parse=str.strip,
        default="",
        description="For tests: where in a publish to kill this process; refused with APP_ENV=production.",
    ),
)
