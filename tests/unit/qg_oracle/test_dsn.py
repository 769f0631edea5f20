"""Pasted connect descriptors: what is kept, and everything that is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qg_core.specs import Address
from qg_oracle.dsn import DSN_LENGTH_MAX, parse_dsn
from qg_oracle.targets import ConnectionTarget, descriptor

PLAIN = "(DESCRIPTION=(ADDRESS=(PROTOCOL=tcp)(HOST=db.example.com)(PORT=1521))(CONNECT_DATA=(SERVICE_NAME=sales)))"
RAC = """
(DESCRIPTION =
  (CONNECT_TIMEOUT = 5)(RETRY_COUNT = 3)
  (ADDRESS_LIST = (LOAD_BALANCE = on)(FAILOVER = off)
    (ADDRESS = (PROTOCOL = TCPS)(HOST = a.example.com)(PORT = 2484))
    (ADDRESS = (PROTOCOL = tcp)(HOST = 2001:db8::7)(PORT = 1522)))
  (CONNECT_DATA = (SERVER = DEDICATED)(SID = ORCL)))
"""


def test_a_plain_descriptor() -> None:
    parsed = parse_dsn(PLAIN)
    assert parsed.addresses == (Address(protocol="tcp", host="db.example.com", port=1521),)
    assert (parsed.service_name, parsed.sid) == ("sales", None)
    assert (parsed.load_balance, parsed.failover) == (False, True)


def test_address_lists_switches_and_known_noise() -> None:
    parsed = parse_dsn(RAC)
    assert parsed.addresses == (
        Address(protocol="tcps", host="a.example.com", port=2484),
        Address(protocol="tcp", host="2001:db8::7", port=1522),
    )
    assert (parsed.service_name, parsed.sid) == (None, "ORCL")
    assert (parsed.load_balance, parsed.failover) == (True, False)


@pytest.mark.parametrize("dsn", [PLAIN, RAC])
def test_what_is_rebuilt_says_the_same(dsn: str) -> None:
    parsed = parse_dsn(dsn)
    rebuilt = descriptor(
        ConnectionTarget(
            connection_id="c",
            addresses=parsed.addresses,
            load_balance=parsed.load_balance,
            failover=parsed.failover,
            service_name=parsed.service_name,
            sid=parsed.sid,
            username="u",
            password="p",
        )
    )
    again = parse_dsn(rebuilt)
    assert again.addresses == parsed.addresses
    assert (again.service_name, again.sid) == (parsed.service_name, parsed.sid)


def _with(extra: str) -> str:
    return PLAIN[:-1] + extra + ")"


@pytest.mark.parametrize(
    "dsn",
    [
        "",
        "   ",
        "sales",
        "db.example.com:1521/sales",
        "//db.example.com/sales",
        "tcps://db.example.com:2484/sales",
        "config-file:///etc/passwd",
        "config-https://evil.example/x",
        "https://evil.example/x.json",
        "ldap://directory.example/cn=x",
        "(ADDRESS=(PROTOCOL=tcp)(HOST=a)(PORT=1))",
        _with("(SECURITY=(MY_WALLET_DIRECTORY=/etc/ssl))"),
        _with("(SECURITY=(WALLET_LOCATION=/etc/ssl))"),
        _with("(SECURITY=(SSL_SERVER_DN_MATCH=OFF))"),
        _with("(SECURITY=(TOKEN_AUTH=OCI_TOKEN)(TOKEN_LOCATION=/etc))"),
        _with("(SOURCE_ROUTE=ON)"),
        _with("(IFILE=/etc/passwd)"),
        _with("(TYPE_OF_SERVICE=x)"),
        PLAIN.replace("(PORT=1521)", "(PORT=1521)(HTTPS_PROXY=evil.example)(HTTPS_PROXY_PORT=80)"),
        PLAIN.replace("(SERVICE_NAME=sales)", "(SERVICE_NAME=sales)(FAILOVER_MODE=(TYPE=select))"),
        PLAIN.replace("(SERVICE_NAME=sales)", "(SERVICE_NAME=sales)(SID=x)"),
        PLAIN.replace("(SERVICE_NAME=sales)", "(SERVICE_NAME=sales)(SERVICE_NAME=other)"),
        PLAIN.replace("(SERVICE_NAME=sales)", "(SERVICE_NAME=)"),
        PLAIN.replace("(SERVICE_NAME=sales)", "(SERVICE_NAME=sa les)"),
        PLAIN.replace("(SERVICE_NAME=sales)", "(SERVICE_NAME=sales/../x)"),
        PLAIN.replace("(SERVICE_NAME=sales)", ""),
        PLAIN.replace("(CONNECT_DATA=(SERVICE_NAME=sales))", ""),
        PLAIN.replace("PROTOCOL=tcp", "PROTOCOL=ipc"),
        PLAIN.replace("PROTOCOL=tcp", "PROTOCOL=beq"),
        PLAIN.replace("1521", "0"),
        PLAIN.replace("1521", "65536"),
        PLAIN.replace("1521", "-1"),
        PLAIN.replace("1521", "x"),
        PLAIN.replace("db.example.com", "127.1"),
        PLAIN.replace("db.example.com", "0x7f.1"),
        PLAIN.replace("db.example.com", "2130706433"),
        PLAIN.replace("db.example.com", "fe80::1%eth0"),
        PLAIN.replace("db.example.com", "db_\u0430.example.com"),
        PLAIN.replace("db.example.com", '"db.example.com"'),
        PLAIN.replace("db.example.com", "db.example.com\x00"),
        PLAIN.replace("db.example.com", "a)(HOST=b"),
        PLAIN + PLAIN,
        PLAIN + ")",
        PLAIN[:-1],
        f"(DESCRIPTION_LIST={PLAIN}{PLAIN})",
        PLAIN.replace("HOST=db", "HOST=(x=db)"),
        PLAIN + "?wallet_location=/etc",
        PLAIN.replace("(CONNECT_DATA", "(#)(CONNECT_DATA"),
        "(" * 3_000,
        "(DESCRIPTION=" * 400 + ")" * 400,
        "(DESCRIPTION=" + "(ADDRESS=(PROTOCOL=tcp)(HOST=a)(PORT=1))" * 17 + "(CONNECT_DATA=(SID=x)))",
        PLAIN + " " * DSN_LENGTH_MAX + "x",
    ],
)
def test_everything_else_is_refused_with_a_sentence(dsn: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        parse_dsn(dsn)
    assert len(str(caught.value)) < 300


@given(st.text(alphabet="()=ABCDEPRTHOSTNI_.:/?#\"' \n1x", max_size=120))
def test_nothing_but_valueerror_ever_comes_out(text: str) -> None:
    for dsn in (text, "(DESCRIPTION=" + text, PLAIN[:40] + text + PLAIN[40:]):
        try:
            parsed = parse_dsn(dsn)
        except ValueError:
            continue
        assert parsed.addresses
