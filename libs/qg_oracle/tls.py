"""The TLS context of a connection, made from PEM text without leaving it on a disk."""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_CERTIFICATE = "-----BEGIN CERTIFICATE-----"
_PRIVATE_KEY = "PRIVATE KEY-----"
_ENCRYPTED_KEY = ("ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED")


def tls_context(wallet: str | None) -> ssl.SSLContext:
    """The context for `tcps` addresses.

    Without a wallet the system's trust store decides. With one, only the certificates in it are trusted; a private key
    in it (with its certificate) is presented to the server. Raises `ValueError` that says what is wrong, never with
    text of the wallet. The driver checks the server's name (or `server_dn`) itself after the handshake.
    """
    if wallet is None:
        return _modern(ssl.create_default_context())
    if _CERTIFICATE not in wallet:
        raise ValueError("the wallet holds no PEM certificate")
    if any(mark in wallet for mark in _ENCRYPTED_KEY):
        raise ValueError("the wallet's private key is encrypted; give it without a passphrase")
    try:
        context = _modern(ssl.create_default_context(cadata=wallet))
        if _PRIVATE_KEY in wallet:
            # Python's ssl loads keys from files only: an anonymous file in memory where there is one.
            with _as_file(wallet) as path:
                context.load_cert_chain(path)
    except (ssl.SSLError, ValueError, OSError):
        raise ValueError("the wallet is not PEM with certificates (and, for mutual TLS, a matching key)") from None
    return context


def _modern(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("wallet", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.TemporaryDirectory(prefix="qg-wallet-") as folder:  # 0700, gone on leaving
        path = os.path.join(folder, "wallet.pem")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        yield path
