"""No secret of the corpus survives a log line; ordinary text does."""

import base64
import json
import secrets
import time

import bcrypt
import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from qg_telemetry.redaction import TEXT_LENGTH_MAX, clean, redact

JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJlcnAiLCJleHAiOjE4fQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
API_KEY = "qg_" + secrets.token_hex(16) + "_" + secrets.token_hex(24) + "_" + secrets.token_hex(8)
FERNET_KEY = Fernet.generate_key().decode()
FERNET_TOKEN = Fernet(FERNET_KEY.encode()).encrypt(b"secret").decode()
BCRYPT = bcrypt.hashpw(b"x", bcrypt.gensalt(4)).decode()
HMAC_SECRET = secrets.token_hex(64)
ED25519 = base64.b64encode(b"\xfb\xff" * 16).decode()
PEM_BODY = "MIIFHDBOBgkqhkiG9w0BBQ0wQTApBgkq\nAAECAwQF"
PEM = f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{PEM_BODY}\n-----END ENCRYPTED PRIVATE KEY-----"
BASIC = base64.b64encode(b"erp:hunter2hunter2").decode()
PASSWORD = "Tr0ub4dor&3"

CORPUS = [
    (f"Authorization: Bearer {JWT}", JWT),
    (f"authorization: bearer {JWT}", JWT.split(".")[2]),
    (f"{{'authorization': 'Basic {BASIC}'}}", BASIC),
    (f"[(b'authorization', b'Basic {BASIC}')]", BASIC),
    (f"Basic\t{BASIC} was sent", BASIC),
    (f"token {JWT} expired", JWT.split(".")[1]),
    (f"half a token {JWT.rpartition('.')[0]}", JWT.split(".")[1]),
    (f"X-Api-Key: {API_KEY}", API_KEY[3:]),
    (f"(b'x-api-key', b'{API_KEY}')", API_KEY.split("_")[2]),
    (f"/api/v1/data/{API_KEY}", API_KEY.split("_")[2]),
    (f"no tag {API_KEY.rpartition('_')[0]}", API_KEY.split("_")[2]),
    (f"my prefix acme.{API_KEY[3:]}!", API_KEY.split("_")[2]),
    (f"key {FERNET_KEY} bad", FERNET_KEY),
    (f"sealed {FERNET_TOKEN}", FERNET_TOKEN),
    (f"hash {BCRYPT}", BCRYPT),
    (f"hmac {HMAC_SECRET}", HMAC_SECRET),
    (f"signing {ED25519}", ED25519),
    (f"wallet:\n{PEM}\nend", "MIIFHDBOBgkqhkiG9w0BBQ0wQTApBgkq"),
    (f"wallet: {PEM[:70]}", "MIIFHDBOBgkqhkiG9w0BBQ"),
    (f"postgresql://app:{PASSWORD}@db:5432/qg", PASSWORD),
    (f"postgresql+asyncpg://app:p@ss@{PASSWORD}@db:5432/qg", PASSWORD),
    (f"redis://:{PASSWORD}@cache:6379/0 refused", PASSWORD),
    (f"rediss://qg:{PASSWORD}@cache", PASSWORD),
    (f"password={PASSWORD}", PASSWORD),
    (f"password = '{PASSWORD} with spaces'", "with spaces"),
    (f'"password": "{PASSWORD}\\" more"', "more"),
    (f"{{'password': '{PASSWORD}'}}", PASSWORD),
    (f"ConnectionSecret(password='{PASSWORD}', wallet='abc')", PASSWORD),
    (f"DB_PASSWORD={PASSWORD};", PASSWORD),
    (f"passwd:{PASSWORD}", PASSWORD),
    (f"pwd={PASSWORD}&user=x", PASSWORD),
    (f"wallet_password => {PASSWORD}", PASSWORD),
    (f"client_secret={PASSWORD}", PASSWORD),
    (f"ENCRYPTION_KEY={PASSWORD}", PASSWORD),
    (f"JWT_SECRET_KEY: {PASSWORD}", PASSWORD),
    (f"?api_key={PASSWORD}&x=1", PASSWORD),
    (f"access_token={PASSWORD}", PASSWORD),
    (f"/x/password%3D{PASSWORD}", PASSWORD),
    (f"/x/Bearer%20{secrets.token_urlsafe(24)[:20]}zz", "zz"),
    (f"Cookie: session={PASSWORD}", PASSWORD),
    (f"ALTER USER app IDENTIFIED BY {PASSWORD}", PASSWORD),
    (f'create user app identified by "{PASSWORD} x"', PASSWORD),
    (f"sqlplus scott/{PASSWORD}@//db:1521/ORCL", PASSWORD),
    (f"connect scott/{PASSWORD}@orcl", PASSWORD),
    (f"scott/{PASSWORD}@(DESCRIPTION=(ADDRESS=...))", PASSWORD),
]


# Some of the secrets are random: names that hold them would differ between test processes.
CORPUS_IDS = [f"case-{number}" for number in range(len(CORPUS))]


@pytest.mark.parametrize(("text", "secret"), CORPUS, ids=CORPUS_IDS)
def test_secrets_are_taken_out(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in redact(text)
    assert "[redacted]" in redact(text)


@pytest.mark.parametrize(("text", "secret"), CORPUS, ids=CORPUS_IDS)
def test_also_inside_json_and_reprs(text: str, secret: str) -> None:
    if "\n" in text or '"' in text or "'" in text or "\\" in text or "\t" in text:
        return
    assert secret not in redact(json.dumps({"message": text}))
    assert secret not in redact(repr({"message": text}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/api/v1/data/orders/by-customer",
        "/api/v1/data/tokens",
        "GET /api/v1/admin/auth/7e0c5c30-63a9-4b3c-9d7d-9d36e5c15a01/credentials 200",
        "delta 17 follows 15, not 16",
        "digest 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 is missing",
        "request 0b9d2f3c6a524f0e9a406b6a2a6b0b11",
        "can't listen at 127.0.0.1:8080: Address already in use",
        "a@b.example wrote to support@example.com",
        "redis://cache:6379/0 is not reachable",
        "ORA-00942: table or view does not exist",
        "2026-11-21T08:15:00+00:00",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert clean(text) == text


@given(st.text())
def test_any_text_becomes_printable_and_encodable(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert not any(0x7F <= ord(character) <= 0x9F or character in "\u2028\u2029\u202e" for character in cleaned)


def test_terminal_and_direction_characters_are_made_visible() -> None:
    assert clean("a\x9b31mb\u202ec\u2028d\ud800") == "a\\u009b31mb\\u202ec\\u2028d\\ud800"


def test_long_text_is_cut_and_says_so() -> None:
    cleaned = clean("x" * 1_000_000)
    assert len(cleaned) < TEXT_LENGTH_MAX + 50
    assert "1000000 characters" in cleaned


def test_a_secret_across_the_cut_does_not_survive() -> None:
    for at in range(TEXT_LENGTH_MAX - 120, TEXT_LENGTH_MAX, 7):
        cleaned = clean("x" * at + " " + API_KEY + "y" * 2000)
        assert API_KEY.split("_")[2][:40] not in cleaned


@pytest.mark.parametrize(
    "hostile",
    [
        *("a" * 8000, "/" * 8000, "f" * 8000, "\\" * 8000, "a.-_" * 2000, "a/" * 4000, "a:b@" * 2000),
        *("password" * 1000, "password='" * 800, 'key="\\' * 1000, "token" + " " * 8000, "identified by " * 500),
        *("Bearer " * 1200, "://" * 2700, "eyJ" * 2700, "-----BEGIN PRIVATE KEY-----" * 300),
    ],
)
def test_hostile_text_costs_little(hostile: str) -> None:
    started = time.thread_time()
    redact(hostile[:TEXT_LENGTH_MAX])
    assert time.thread_time() - started < 0.25
