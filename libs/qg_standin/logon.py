"""O5LOGON with the 12c verifier (0x4815): the server's side of proving a password.

Primitives come from hashlib and cryptography; what is here is the order in which the protocol uses them.
The password crosses the wire encrypted under a key that both sides derive from its verifier.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from qg_standin.wire import Malformed, Reader, bytes2, ub

_ITERATIONS = 4096
_SESSION_ITERATIONS = 3
_VERIFIER_12C = 0x4815
_KEY_LABEL = b"AUTH_PBKDF2_SPEEDY_KEY"
_ZERO_IV = bytes(16)
PAIRS_MAX = 128

Pairs = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Verifier:
    """What the server keeps of a password."""

    salt: bytes
    key_hash: bytes


def make_verifier(password: str) -> Verifier:
    salt = os.urandom(16)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt + _KEY_LABEL, _ITERATIONS, 64)
    return Verifier(salt, hashlib.sha512(key + salt).digest()[:32])


def _encrypt(key: bytes, plain: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.CBC(_ZERO_IV)).encryptor()
    return encryptor.update(plain) + encryptor.finalize()


def _decrypt(key: bytes, sealed: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.CBC(_ZERO_IV)).decryptor()
    return decryptor.update(sealed) + decryptor.finalize()


def _hex(value: bytes) -> bytes:
    return value.hex().upper().encode()


def encode_pairs(pairs: list[tuple[str, bytes, int]]) -> bytes:
    """A PARAMETER message with (key, value, flags) triples."""
    parts = [b"\x08", ub(len(pairs))]
    for key, value, flags in pairs:
        parts += (bytes2(key.encode()), bytes2(value), ub(flags))
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class LogonRequest:
    user: str
    pairs: Pairs


def parse_logon(reader: Reader) -> LogonRequest:
    """Read the body of auth phase one or two (function header already read)."""
    has_user = reader.u8()
    reader.ub()
    reader.ub()
    reader.u8()
    count = reader.ub()
    reader.skip(2)
    if not 0 <= count <= PAIRS_MAX:
        raise Malformed(f"{count} pairs in a logon")
    user = (reader.bytes_() or b"") if has_user else b""
    pairs: Pairs = {}
    for _ in range(count):
        key, value = reader.bytes2() or b"", reader.bytes2() or b""
        reader.ub()
        pairs[key.decode(errors="replace")] = value
    return LogonRequest(user.decode(errors="replace"), pairs)


class Exchange:
    """One sign-in: `challenge` answers phase one, `prove` checks phase two."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._server_part = os.urandom(32)
        self._salt = os.urandom(16)

    def challenge(self) -> bytes:
        sealed = _encrypt(self._verifier.key_hash, self._server_part)
        return encode_pairs(
            [
                ("AUTH_SESSKEY", _hex(sealed), 0),
                ("AUTH_VFR_DATA", _hex(self._verifier.salt), _VERIFIER_12C),
                ("AUTH_PBKDF2_CSK_SALT", _hex(self._salt), 0),
                ("AUTH_PBKDF2_VGEN_COUNT", str(_ITERATIONS).encode(), 0),
                ("AUTH_PBKDF2_SDER_COUNT", str(_SESSION_ITERATIONS).encode(), 0),
            ]
        )

    def prove(self, pairs: Pairs) -> bytes | None:
        """The server's proof (AUTH_SVR_RESPONSE) if the client knows the password, else None."""
        try:
            client_sealed = bytes.fromhex(pairs["AUTH_SESSKEY"].decode())[:32]
            password_sealed = bytes.fromhex(pairs["AUTH_PASSWORD"].decode())
            client_part = _decrypt(self._verifier.key_hash, client_sealed)
            combined = hashlib.pbkdf2_hmac(
                "sha512", _hex(client_part + self._server_part), self._salt, _SESSION_ITERATIONS, 32
            )
            plain = _decrypt(combined, password_sealed)
        except (KeyError, ValueError):
            return None
        password = plain[16 : -plain[-1]] if len(plain) > 16 and 0 < plain[-1] <= 16 else b""
        key = hashlib.pbkdf2_hmac("sha512", password, self._verifier.salt + _KEY_LABEL, _ITERATIONS, 64)
        key_hash = hashlib.sha512(key + self._verifier.salt).digest()[:32]
        if not hmac.compare_digest(key_hash, self._verifier.key_hash):
            return None
        return _hex(_encrypt(combined, os.urandom(16) + b"SERVER_TO_CLIENT" + bytes((16,)) * 16))


def welcome(proof: bytes, *, session_id: int, serial: int, version_number: int, service_name: str) -> bytes:
    """The PARAMETER message that ends a successful sign-in.

    Without AUTH_MAX_OPEN_CURSORS the driver would switch its statement cache off.
    """
    service = service_name.encode()
    return encode_pairs(
        [
            ("AUTH_VERSION_NO", str(version_number).encode(), 0),
            ("AUTH_SESSION_ID", str(session_id).encode(), 0),
            ("AUTH_SERIAL_NUM", str(serial).encode(), 0),
            ("AUTH_SVR_RESPONSE", proof, 0),
            ("AUTH_MAX_OPEN_CURSORS", b"300", 0),
            ("AUTH_SC_SERVICE_NAME", service, 0),
            ("AUTH_SC_DBUNIQUE_NAME", service, 0),
            ("AUTH_INSTANCENAME", service, 0),
            ("AUTH_MAX_IDEN_LENGTH", b"128", 0),
        ]
    )
