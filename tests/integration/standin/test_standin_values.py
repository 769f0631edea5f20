"""Values survive the way to the stand-in and back exactly."""

import datetime as dt
from decimal import Decimal

import oracledb
import pytest

from tests.integration.standin.conftest import RunningStandin, columns_of

moment_of = dt.datetime.fromisoformat
_DIGITS = "98765432109876543210987654321098765432"


@pytest.fixture
def decimals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracledb.defaults, "fetch_decimals", True)


@pytest.mark.usefixtures("decimals")
@pytest.mark.parametrize(
    "value",
    [0, 1, -1, 99, 100, 101, 9999, 10_000, 10_001, 99_999_999, 100_000_000, 10**17 + 1, 10**18, -(10**37),
     int(_DIGITS), -int(_DIGITS), Decimal("-0.1"), Decimal("0.1"), Decimal("1.10"), Decimal("123.456789"),
     Decimal("0.00000001"), Decimal(_DIGITS).scaleb(-10), Decimal("-99999.99")],
)  # fmt: skip
def test_numbers_as_binds(connection: oracledb.Connection, value: int | Decimal) -> None:
    assert connection.cursor().execute("select :v from dual", v=value).fetchone() == (value,)


@pytest.mark.usefixtures("decimals")
@pytest.mark.parametrize("text", [_DIGITS, "-0.1", "0.5", "12345678901234567890.123456789", "1000000", "-7.25"])
def test_numbers_as_literals(connection: oracledb.Connection, text: str) -> None:
    row = connection.cursor().execute(f"select {text} from dual").fetchone()
    assert row == (Decimal(text),)


@pytest.mark.parametrize(
    "value",
    ["x", "ünïcödé 漢字 🚀", "漢" * 4000, "x" * 32_767, "it's :not a bind", moment_of("1850-01-02T03:04:05"),
     moment_of("4712-12-31T00:00:00"), moment_of("0001-01-01T00:00:00"), 2.5, -1e100, b"\x00\xff" * 100, None],
)  # fmt: skip
def test_other_binds(connection: oracledb.Connection, value: object) -> None:
    if isinstance(value, float) and abs(value) > 1e90:
        row = connection.cursor().execute("select to_binary_double(:v) from dual", v=value).fetchone()
    else:
        row = connection.cursor().execute("select :v from dual", v=value).fetchone()
    assert row == (value,)


def test_dates_booleans_and_the_empty_string(connection: oracledb.Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("select :d, :b, :e from dual", d=dt.date(1899, 12, 31), b=True, e="")
    assert cursor.fetchone() == (moment_of("1899-12-31T00:00:00"), 1, None)


def test_timestamps_and_intervals_keep_their_fraction(connection: oracledb.Connection) -> None:
    cursor = connection.cursor()
    cursor.setinputsizes(t=oracledb.DB_TYPE_TIMESTAMP, i=oracledb.DB_TYPE_INTERVAL_DS)
    moment, span = moment_of("2024-02-29T23:59:59.123456"), dt.timedelta(days=-3, microseconds=5)
    cursor.execute("select :t, :i, cast(:t as timestamp with local time zone) from dual", t=moment, i=span)
    assert cursor.fetchone() == (moment, span, moment)
    assert [column[1] for column in columns_of(cursor)] == [
        oracledb.DB_TYPE_TIMESTAMP, oracledb.DB_TYPE_INTERVAL_DS, oracledb.DB_TYPE_TIMESTAMP_LTZ,
    ]  # fmt: skip


def test_repeated_binds_and_reused_cursors_change_their_types(connection: oracledb.Connection) -> None:
    cursor = connection.cursor()
    for value in ("a", 5, None, Decimal("1.5"), "b" * 3000, moment_of("2020-01-01T00:00:00")):
        row = cursor.execute("select :x, :y, :X from dual", x=value, y=1).fetchone()
        assert row == (value, 1, value)


def test_columns_are_described_with_their_oracle_types(connection: oracledb.Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("select * from orders where order_id = 7")
    described = {info.name: info for info in columns_of(cursor)}
    assert described["ORDER_ID"].type_code is oracledb.DB_TYPE_NUMBER
    assert (described["ORDER_ID"].precision, described["ORDER_ID"].scale) == (12, 0)
    assert (described["TOTAL_AMOUNT"].precision, described["TOTAL_AMOUNT"].scale) == (14, 2)
    assert described["ORDER_GUID"].type_code is oracledb.DB_TYPE_RAW
    assert described["ORDER_GUID"].internal_size == 16
    assert described["STATUS"].display_size == 16
    assert described["ORDERED_ON"].type_code is oracledb.DB_TYPE_DATE
    assert described["PLACED_AT"].type_code is oracledb.DB_TYPE_TIMESTAMP
    assert described["CURRENCY"].type_code is oracledb.DB_TYPE_CHAR
    row = dict(zip(described, cursor.fetchone(), strict=True))
    assert isinstance(row["ORDER_GUID"], bytes)
    assert len(row["ORDER_GUID"]) == 16
    assert row["PLACED_AT"].date() == row["ORDERED_ON"].date()


def test_describe_without_running(connection: oracledb.Connection) -> None:
    cursor = connection.cursor()
    cursor.parse("select order_id, qg_sleep(60) s, remarks from orders, supplier_contracts where order_id = :id")
    assert [(info.name, info.type_code) for info in columns_of(cursor)] == [
        ("ORDER_ID", oracledb.DB_TYPE_NUMBER), ("S", oracledb.DB_TYPE_NUMBER), ("REMARKS", oracledb.DB_TYPE_CLOB),
    ]  # fmt: skip
    assert connection.cursor().execute("select 1 from dual").fetchone() == (1,)


_MEGABYTE = "select to_clob(rpad('é', 1000000, 'é')) c from dual"


def test_a_large_clob_by_locator(connection: oracledb.Connection) -> None:
    (clob,) = connection.cursor().execute(_MEGABYTE).fetchone()
    assert clob.size() == 1_000_000
    assert clob.read() == "é" * 1_000_000
    assert clob.read(999_999, 10) == "éé"


async def test_a_large_clob_in_line(async_connection: oracledb.AsyncConnection) -> None:
    with async_connection.cursor() as cursor:
        await cursor.execute(_MEGABYTE, fetch_lobs=False)
        assert (await cursor.fetchone())[0] == "é" * 1_000_000


@pytest.mark.parametrize("in_line", [True, False])
def test_lob_columns_again_and_again(connection: oracledb.Connection, in_line: bool) -> None:
    cursor = connection.cursor()
    for lowest in (1, 5, 1):
        cursor.execute(
            "select contract_id, remarks from supplier_contracts where contract_id between :a and :a + 2 order by 1",
            a=lowest,
            fetch_lobs=not in_line,
        )
        rows = [(key, value if in_line or value is None else value.read()) for key, value in cursor]
        assert [key for key, _ in rows] == [lowest, lowest + 1, lowest + 2]
        for key, remarks in rows:
            assert remarks is None if key % 7 == 0 else remarks.startswith(f"Contract {key}: prices")


def test_lobs_and_longs_as_binds(connection: oracledb.Connection) -> None:
    cursor = connection.cursor()
    assert cursor.execute("select length(:c) from dual", c="x" * 100_000).fetchone() == (100_000,)
    cursor.setinputsizes(c=oracledb.DB_TYPE_CLOB)
    assert cursor.execute("select length(:c) from dual", c="y" * 50_000).fetchone() == (50_000,)


def test_blob_columns(connection: oracledb.Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("select item_id, drawing from items where drawing is not null and rownum <= 3")
    for key, drawing in cursor:
        assert drawing.read() == f"drawing {key} ".encode() * 20


def test_binary_doubles_and_not_a_number(connection: oracledb.Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("select cast(1.25 as binary_double) a, cast(-0.5 as binary_float) b, rating from customers")
    assert columns_of(cursor)[0].type_code is oracledb.DB_TYPE_BINARY_DOUBLE
    assert columns_of(cursor)[2].type_code is oracledb.DB_TYPE_BINARY_DOUBLE
    assert cursor.fetchone()[:2] == (1.25, -0.5)


async def test_many_columns_and_sizes_around_a_packet(standin: RunningStandin) -> None:
    async with await standin.connect_async() as connection:
        for length in (8100, 8170, 8174, 8180, 8182, 8184, 16_350, 16_364, 16_400, 30_000):
            assert await connection.fetchone("select :v v, length(:v) n from dual", {"v": "z" * length}) == (
                "z" * length,
                length,
            )
