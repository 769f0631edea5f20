"""Make the secrets of the compose stack; runs inside the gateway's image, started by deploy/make-secrets.

One file per secret and reader: a file belongs to the user of the one container that reads it, mode 0400. The same
password lies in two files where two containers need it.
"""

import argparse
import hashlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# The users of the containers, as compose.yaml says them.
GATEWAY = (10001, 10001)
NGINX = (101, 101)
POSTGRES = (999, 999)
REDIS = (999, 1000)
ORACLE = (54321, 54321)

CERTIFICATE_DAYS = 365
PASSWORD_BYTES = 24
NAMES = ("localhost",)
ADDRESSES = ("127.0.0.1", "::1")

# docs/installation.md says why each has these rights.
CONTROL_RIGHTS = (
    "~qg:* ~arq:* resetchannels &qg:hint -@all +@read +@write +@transaction +@connection -@dangerous "
    "+eval +time +publish +info"
)
NODE_RIGHTS = (
    "%R~qg:* %W~qg:node:* %W~qg:nodes ~qg:access resetchannels &qg:hint -@all +getrange +strlen +set +zadd +zrem "
    "+unlink +zmscore +xadd +xrange +hstrlen +hget +eval_ro +subscribe +unsubscribe +ping +select +client|setinfo"
)

Owner = tuple[int, int]
Secret = tuple[str, str, Owner]


def new_password() -> str:
    """Letters, digits, - and _ alone: it needs no quoting in a URL, a shell or SQL."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def redis_users(passwords: dict[str, str]) -> str:
    """The ACL file: digests of the passwords, not the passwords, and nobody without one."""
    rights = {"gateway_control": CONTROL_RIGHTS, "gateway_worker": CONTROL_RIGHTS, "gateway_node": NODE_RIGHTS}
    lines = ["user default off resetpass resetkeys resetchannels -@all"]
    for name, allowed in rights.items():
        digest = hashlib.sha256(passwords[name].encode("ascii")).hexdigest()
        lines.append(f"user {name} on #{digest} {allowed}")
    return "\n".join(lines) + "\n"


def tls_files(names: tuple[str, ...], addresses: tuple[str, ...]) -> tuple[str, str, str]:
    """Authority, certificate and key of the certificate, in PEM. The authority's own key is forgotten at once."""
    now = datetime.now(UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "QueryGateway demo authority")])
    usage = {
        "digital_signature": False,
        "content_commitment": False,
        "key_encipherment": False,
        "data_encipherment": False,
        "key_agreement": False,
        "key_cert_sign": False,
        "crl_sign": False,
        "encipher_only": False,
        "decipher_only": False,
    }
    ca_usage = x509.KeyUsage(**{**usage, "key_cert_sign": True, "crl_sign": True})
    ca_public = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    issued = x509.CertificateBuilder().issuer_name(ca_name).not_valid_before(now - timedelta(minutes=5))
    issued = issued.not_valid_after(now + timedelta(days=CERTIFICATE_DAYS))
    authority = (
        issued.subject_name(ca_name)
        .public_key(ca_key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(ca_usage, critical=True)
        .add_extension(ca_public, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    alternatives = [*map(x509.DNSName, names), *(x509.IPAddress(ip_address(address)) for address in addresses)]
    certificate = (
        issued.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**{**usage, "digital_signature": True}), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_public), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return authority.public_bytes(pem).decode(), certificate.public_bytes(pem).decode(), private.decode()


def _querygateway(*arguments: str, stdin: str = "") -> str:
    command = [str(Path(sys.executable).with_name("querygateway")), *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True).stdout  # noqa: S603


def made(keys: dict[str, str], password_hash: str, admin_password: str) -> Iterator[Secret]:
    """Every secret file: name, contents, who reads it."""
    database = {name: new_password() for name in ("gateway_migrate", "gateway_control", "gateway_worker", "postgres")}
    redis = {name: new_password() for name in ("gateway_control", "gateway_worker", "gateway_node")}
    oracle = new_password()

    def database_url(user: str) -> str:
        return f"postgresql://{user}:{database[user]}@postgres:5432/querygateway"

    def redis_url(user: str) -> str:
        return f"redis://{user}:{redis[user]}@redis:6379/0"

    yield "control_plane_database_url", database_url("gateway_control"), GATEWAY
    yield "control_plane_redis_url", redis_url("gateway_control"), GATEWAY
    yield "control_plane_encryption_key", keys["ENCRYPTION_KEY"], GATEWAY
    yield "control_plane_bundle_seal_key", keys["BUNDLE_SEAL_KEY"], GATEWAY
    yield "control_plane_bundle_signing_key", keys["BUNDLE_SIGNING_KEY"], GATEWAY
    yield "control_plane_jwt_secret_key", keys["JWT_SECRET_KEY"], GATEWAY
    yield "control_plane_admin_password_hash", password_hash, GATEWAY
    yield "data_plane_redis_url", redis_url("gateway_node"), GATEWAY
    yield "data_plane_bundle_seal_key", keys["BUNDLE_SEAL_KEY"], GATEWAY
    yield "worker_database_url", database_url("gateway_worker"), GATEWAY
    yield "worker_redis_url", redis_url("gateway_worker"), GATEWAY
    yield "worker_bundle_seal_key", keys["BUNDLE_SEAL_KEY"], GATEWAY
    yield "migration_database_url", database_url("gateway_migrate"), GATEWAY
    yield "postgres_superuser", database["postgres"], POSTGRES
    yield "postgres_migrate", database["gateway_migrate"], POSTGRES
    yield "postgres_control", database["gateway_control"], POSTGRES
    yield "postgres_worker", database["gateway_worker"], POSTGRES
    yield "redis_users", redis_users(redis), REDIS
    yield "standin_reader", oracle, GATEWAY
    yield "oracle_reader", oracle, ORACLE
    yield "oracle_system", new_password(), ORACLE
    yield "demo_oracle_reader", oracle, GATEWAY
    yield "demo_admin_password", admin_password, GATEWAY


def write(path: Path, contents: str, owner: Owner, mode: int = 0o400) -> None:
    """A new file, never readable by anybody else. Raises FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(contents if contents.endswith("\n") else contents + "\n")
        os.fchown(file.fileno(), *owner)
        os.fchmod(file.fileno(), mode)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make_secrets.py", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="an empty directory")
    parser.add_argument("--owner", required=True, metavar="UID:GID", help="who gets admin_password and the directory")
    options = parser.parse_args(arguments)
    if any(options.out.iterdir()):
        parser.error(f"{options.out} is not empty")
    user, _, group = options.owner.partition(":")
    you = (int(user), int(group))
    admin_password = new_password()
    keys = json.loads(_querygateway("keys", "new", "--format", "json"))
    password_hash = _querygateway("hash-password", stdin=admin_password + "\n").strip()
    for name, contents, owner in made(keys, password_hash, admin_password):
        write(options.out / name, contents, owner)
    authority, certificate, key = tls_files(NAMES, ADDRESSES)
    write(options.out / "tls_key", key, NGINX)
    write(options.out / "tls_certificate", certificate, NGINX)
    write(options.out / "ca.crt", authority, you, 0o644)
    write(options.out / "admin_password", admin_password, you)
    public = f"GATEWAY_ID={keys['GATEWAY_ID']}\nBUNDLE_VERIFY_KEYS={keys['BUNDLE_VERIFY_KEYS']}\n"
    write(options.out / "gateway.env", public, you, 0o644)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
