"""What a session carries: tags while it serves, the zone it is pinned to; describing, trying and TLS."""

import ipaddress
import json
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from qg_core.errors import DatabaseUnreachable, QueryRefused
from qg_core.specs import Address
from qg_oracle.deadlines import Deadline
from qg_oracle.describe import describe, preview, try_connection
from qg_oracle.events import LogonFailed, OracleEvent
from qg_oracle.execute import execute
from qg_oracle.pools import Pools
from qg_oracle.statements import Statement, Tags, make_tags
from qg_oracle.targets import ConnectionTarget
from qg_oracle.tls import tls_context
from qg_standin.server import StandinServer
from tests.integration.oracle.conftest import PASSWORD, USER, MakeTarget

SEEN = """
    select sys_context('userenv', 'client_identifier') as "client_identifier",
           sys_context('userenv', 'module') as "module", sys_context('userenv', 'action') as "action" from dual"""


async def test_tags_are_the_requests_own_and_never_the_ones_before(pools: Pools, make_target: MakeTarget) -> None:
    pool = pools.get(make_target(pool_max=1))

    async def seen(tags: Tags) -> Tags:
        stream = await execute(pool, Statement(SEEN), {}, Deadline.after_ms(5_000), tags)
        return Tags(**json.loads(stream.first))

    for consumer, path in ((1, 1), (1, 2), (2, 2), (2, 2), (1, 1)):
        tags = make_tags(f"bearer:consumer-{consumer}", f"orders/{path}", f"request-{consumer}-{path}")
        assert await seen(tags) == tags
    await describe(pool, "select 1 as n from dual", Deadline.after_ms(5_000))
    session = pool.take()
    assert session is not None
    with session.connection.cursor() as cursor:
        await cursor.execute(SEEN)
        assert await cursor.fetchall() == [(None, None, None)]
    pool.give_back(session)
    assert await seen(tags) == tags


async def test_describe_tells_columns_and_binds_and_runs_nothing(pools: Pools, make_target: MakeTarget) -> None:
    pool = pools.get(make_target())
    described = await describe(
        pool, "select :a as a, cast(1 as number(5)) as n from dual where 1 = :B or :a is null", Deadline.after_ms(5_000)
    )
    assert [column.name for column in described.columns] == ["A", "N"]
    assert described.columns[1].kind == "number"
    assert described.bind_names == ("A", "B")
    for sql in ("select nope from dual", "delete from dual", "create table t (a number)", "begin null; end;", ""):
        with pytest.raises(QueryRefused):
            await describe(pool, sql, Deadline.after_ms(5_000))
    assert pool.busy == 0


async def test_preview_says_what_is_wrong_without_names(pools: Pools, make_target: MakeTarget) -> None:
    pool = pools.get(make_target())
    tags = make_tags("admin:a", "preview", "r")
    stream = await preview(pool, Statement("select 1 as n from dual", rows_max=10), {}, Deadline.after_ms(5_000), tags)
    assert stream.first == b'{"N":1}'
    with pytest.raises(QueryRefused, match="ORA-00942") as caught:
        await preview(pool, Statement("select * from hr.salaries"), {}, Deadline.after_ms(5_000), tags)
    assert "salaries" not in caught.value.detail.lower()
    with pytest.raises(QueryRefused, match="two columns of the same name"):
        await preview(pool, Statement("select 1 as n, 2 as n from dual"), {}, Deadline.after_ms(5_000), tags)


async def test_trying_a_connection_tells_why_it_fails(make_target: MakeTarget, free_port: int) -> None:
    for target, message in (
        (make_target(password="wrong"), "ORA-01017"),
        (make_target(username="NOBODY"), "ORA-01017"),
        (make_target(service_name="OTHER"), "ORA-12514"),
        (make_target(port=free_port), "refused"),
        (make_target(host="no-such-host.invalid"), "Connecting failed"),
        (make_target(host="169.254.169.254"), "never a database"),
        (make_target(host="x)(y=z"), "can't be used"),
        (make_target(wallet="not pem", addresses=(Address(protocol="tcps", host="localhost", port=1),)), "PEM"),
    ):
        report = await try_connection(target)
        assert not report.success
        assert message in report.message, report.message
        assert PASSWORD not in report.message
        assert "wrong" not in report.message.replace("is wrong", "")


async def test_trying_a_connection_warns_of_what_the_account_may_do(
    make_target: MakeTarget, standin: StandinServer
) -> None:
    reader = await try_connection(make_target())
    assert reader.success
    assert reader.oracle_version
    assert reader.warnings == ()
    standin.users.add("QG_WRITER", PASSWORD, can_write=True)
    writer = await try_connection(make_target(username="QG_WRITER"))
    assert writer.success
    assert writer.warnings


async def test_addresses_are_checked_after_they_are_resolved(
    standin: StandinServer, make_target: MakeTarget, events: list[OracleEvent]
) -> None:
    pools = Pools(events.append, hosts_allowed=("10.0.0.0/8",))
    try:
        pool = pools.get(make_target(host="localhost"))
        statement, tags = Statement("select 1 as n from dual"), make_tags("a:b", "c", "d")
        with pytest.raises(DatabaseUnreachable):
            await execute(pool, statement, {}, Deadline.after_ms(5_000), tags)
        assert any(isinstance(event, LogonFailed) for event in events)
        assert not standin.faults.drop_connections()
    finally:
        await pools.close(1)


async def test_the_second_address_is_tried_when_the_first_is_dead(
    pools: Pools, make_target: MakeTarget, standin: StandinServer, free_port: int
) -> None:
    addresses = (
        Address(protocol="tcp", host="127.0.0.1", port=free_port),
        Address(protocol="tcp", host="127.0.0.1", port=standin.port),
    )
    pool = pools.get(make_target(addresses=addresses))
    stream = await execute(
        pool, Statement("select 1 as n from dual"), {}, Deadline.after_ms(5_000), make_tags("a:b", "c", "d")
    )
    assert stream.first == b'{"N":1}'


def _certificate(name: str, *, ip: str | None = None) -> tuple[str, str]:
    """A self-signed certificate and its key, both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if ip is not None:
        names.append(x509.IPAddress(ipaddress.ip_address(ip)))
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


async def test_tls_with_a_wallet_in_memory(tmp_path_factory: pytest.TempPathFactory) -> None:
    certificate, key = _certificate("localhost")
    other, _ = _certificate("localhost")
    folder = tmp_path_factory.mktemp("tls")
    (folder / "server.pem").write_text(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    server = StandinServer(users={USER: PASSWORD}, ssl_context=context)
    await server.start()
    try:

        def target(**fields: object) -> ConnectionTarget:
            values: dict[str, object] = {
                "connection_id": "tls",
                "addresses": (Address(protocol="tcps", host="localhost", port=server.port),),
                "service_name": "FREEPDB1",
                "sid": None,
                "username": USER,
                "password": PASSWORD,
                "wallet": certificate,
            }
            values.update(fields)
            return ConnectionTarget(**values)  # type: ignore[arg-type]  # tests replace fields by name

        good = await try_connection(target())
        assert good.success, good.message
        assert (await try_connection(target(server_dn="CN=localhost"))).success
        assert (await try_connection(target(wallet=certificate + key))).success  # with a key for mutual TLS
        for bad in (
            target(wallet=other),
            target(wallet=None),
            target(server_dn="CN=elsewhere"),
            target(addresses=(Address(protocol="tcps", host="127.0.0.1", port=server.port),)),
        ):
            report = await try_connection(bad)
            assert not report.success
            assert "BEGIN" not in report.message
    finally:
        await server.stop()


def test_wallets_that_are_none() -> None:
    certificate, key = _certificate("localhost")
    _, foreign_key = _certificate("localhost")
    assert tls_context(certificate).minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls_context(certificate + key).verify_mode == ssl.CERT_REQUIRED
    for wallet in ("", "x", key, certificate + foreign_key, certificate[:100], "-----BEGIN ENCRYPTED PRIVATE KEY-----"):
        with pytest.raises(ValueError, match="wallet") as caught:
            tls_context(wallet)
        assert "BEGIN" not in str(caught.value)
