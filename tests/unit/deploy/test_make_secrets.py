"""What deploy/make-secrets makes, without the containers it is made in and for."""

import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import DNSName, load_pem_x509_certificate
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from deploy.stack import make_secrets
from tests.unit.deploy.compose_file import DEPLOY


def test_clients_that_trust_the_authority_trust_localhost_alone() -> None:
    authority, certificate, key = make_secrets.tls_files(make_secrets.NAMES, make_secrets.ADDRESSES)
    store = Store([load_pem_x509_certificate(authority.encode())])
    leaf = load_pem_x509_certificate(certificate.encode())
    PolicyBuilder().store(store).build_server_verifier(DNSName("localhost")).verify(leaf, [])
    with pytest.raises(VerificationError):
        PolicyBuilder().store(store).build_server_verifier(DNSName("gateway.example")).verify(leaf, [])
    private = serialization.load_pem_private_key(key.encode(), None)
    assert private.public_key() == leaf.public_key()


def test_no_two_runs_make_the_same_and_no_password_is_short() -> None:
    keys = dict.fromkeys(("ENCRYPTION_KEY", "BUNDLE_SEAL_KEY", "BUNDLE_SIGNING_KEY", "JWT_SECRET_KEY"), "key")
    first, second = ({n: v for n, v, _ in make_secrets.made(keys, "hash", "admin")} for _ in range(2))
    passwords = [name for name in first if name.startswith(("postgres_", "oracle_", "standin_"))]
    assert len(passwords) == 7
    for name in passwords:
        assert len(first[name]) >= 32
        assert first[name] != second[name]
    # Four users of Postgres, none with another's password.
    assert len({first[name] for name in passwords if name.startswith("postgres_")}) == 4


def test_a_file_is_closed_to_others_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    make_secrets.write(path, "value", (os.getuid(), os.getgid()))
    assert path.stat().st_mode & 0o777 == 0o400
    assert path.read_text() == "value\n"
    with pytest.raises(FileExistsError):
        make_secrets.write(path, "other", (os.getuid(), os.getgid()))


def test_the_script_leaves_a_directory_alone_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "tls_key").write_text("mine")
    # A docker that would be noticed: the script must not get as far.
    refused = subprocess.run(
        [DEPLOY / "make-secrets", tmp_path],
        env={**os.environ, "DOCKER": "false"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert refused.returncode == 1
    assert "not empty: nothing was made" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["tls_key"]
