"""Signing in to the stand-in: real O5LOGON by the real driver."""

import datetime as dt
import ipaddress
import ssl

import oracledb
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.standin.conftest import READER, READER_PASSWORD, RunningStandin


def _code(error: pytest.ExceptionInfo[oracledb.Error]) -> str:
    return str(error.value.args[0].full_code)


def test_the_right_password_signs_in(standin: RunningStandin) -> None:
    with standin.connect() as connection:
        assert connection.version.startswith("19.")
        connection.ping()


@pytest.mark.parametrize(("user", "password"), [(READER, "wrong"), (READER, READER_PASSWORD.upper()), ("nobody", "x")])
def test_a_wrong_password_and_an_unknown_user_look_the_same(standin: RunningStandin, user: str, password: str) -> None:
    with pytest.raises(oracledb.DatabaseError) as error:
        standin.connect(user, password)
    assert _code(error) == "ORA-01017"


def test_long_and_non_ascii_passwords_work(standin: RunningStandin) -> None:
    password = "pässwörd-" * 20
    standin.call(lambda: standin.server.users.add("unicode", password))
    with standin.connect("unicode", password) as connection:
        connection.ping()


def test_an_unknown_service_is_refused_by_the_listener(standin: RunningStandin) -> None:
    dsn = f"127.0.0.1:{standin.server.port}/NOPE"
    with pytest.raises(oracledb.OperationalError, match="DPY-6001"):
        oracledb.connect(user=READER, password=READER_PASSWORD, dsn=dsn)


async def test_the_async_driver_signs_in_with_a_long_connect_string(standin: RunningStandin) -> None:
    padding = "x" * 300
    dsn = (
        f"(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=127.0.0.1)(PORT={standin.server.port}))"
        f"(CONNECT_DATA=(SERVICE_NAME=freepdb1)(CID=(PROGRAM={padding}))))"
    )
    async with await oracledb.connect_async(user=READER, password=READER_PASSWORD, dsn=dsn) as connection:
        await connection.ping()


def test_sync_pool(standin: RunningStandin) -> None:
    pool = oracledb.create_pool(user=READER, password=READER_PASSWORD, dsn=standin.dsn, min=1, max=3)
    with pool.acquire() as one, pool.acquire() as two:
        sids = {connection.cursor().execute("select sys_context('USERENV','SID') from dual").fetchone()[0]
                for connection in (one, two)}  # fmt: skip
    assert len(sids) == 2
    pool.close()


async def test_async_pool(standin: RunningStandin) -> None:
    pool = oracledb.create_pool_async(user=READER, password=READER_PASSWORD, dsn=standin.dsn, min=1, max=3)
    async with pool.acquire() as connection:
        assert await connection.fetchone("select 1 from dual") == (1,)
    await pool.close()


def test_connections_beyond_the_limit_are_refused() -> None:
    running = RunningStandin(connections_max=2)
    running.start()
    try:
        first, second = running.connect(), running.connect()
        with pytest.raises(oracledb.OperationalError, match="12516"):
            running.connect()
        first.ping()
        second.close()
        first.close()
    finally:
        running.stop()


def _certificate() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    addresses = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + dt.timedelta(1))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private


def test_tcps_with_a_server_certificate(tmp_path_factory: pytest.TempPathFactory) -> None:
    certificate, key = _certificate()
    folder = tmp_path_factory.mktemp("tls")
    (folder / "both.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    running = RunningStandin(ssl_context=context)
    running.start()
    try:
        trusting = ssl.create_default_context(cadata=certificate.decode())
        dsn = f"tcps://localhost:{running.server.port}/FREEPDB1"
        with oracledb.connect(user=READER, password=READER_PASSWORD, dsn=dsn, ssl_context=trusting) as connection:
            assert connection.cursor().execute("select 1 from dual").fetchone() == (1,)
    finally:
        running.stop()
