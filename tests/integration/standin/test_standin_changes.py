"""Changes by the account that may write: transactions, and no stale answer after a commit."""

from collections.abc import Iterator

import oracledb
import pytest

from tests.integration.standin.conftest import RunningStandin, columns_of


@pytest.fixture
def table(writer: oracledb.Connection) -> Iterator[str]:
    cursor = writer.cursor()
    cursor.execute(
        "create table counters (id number(10) primary key, label varchar2(20 char) not null, amount number(12,2),"
        " seen date, code char(4), raw_id raw(8))"
    )
    yield "counters"
    writer.rollback()
    cursor.execute("drop table counters")


def _count(connection: oracledb.Connection) -> int:
    return int(connection.cursor().execute("select count(*) from counters").fetchone()[0])


@pytest.mark.usefixtures("table")
def test_others_see_a_change_after_commit_only(writer: oracledb.Connection, connection: oracledb.Connection) -> None:
    cursor = writer.cursor()
    assert _count(connection) == 0
    cursor.execute(
        "insert into counters (id, label, amount) values (:id, :label, :amount)", id=1, label="a", amount=1.5
    )
    assert cursor.rowcount == 1
    assert writer.transaction_in_progress
    assert (_count(writer), _count(connection)) == (1, 0)
    writer.commit()
    assert not writer.transaction_in_progress
    assert _count(connection) == 1
    cursor.execute("update counters set label = :l, seen = date '2025-01-02' where id = 1", l="b")
    writer.rollback()
    assert connection.cursor().execute("select label, seen from counters").fetchall() == [("a", None)]


@pytest.mark.usefixtures("table")
def test_many_rows_and_batch_errors(writer: oracledb.Connection) -> None:
    cursor = writer.cursor()
    rows = [(n, f"row {n}") for n in range(100)]
    cursor.executemany("insert into counters (id, label) values (:1, :2)", rows)
    assert cursor.rowcount == 100
    writer.commit()
    with pytest.raises(oracledb.IntegrityError, match="ORA-00001"):
        cursor.execute("insert into counters (id, label) values (7, 'again')")
    writer.rollback()
    assert _count(writer) == 100


@pytest.mark.usefixtures("table")
def test_declared_types_are_described(writer: oracledb.Connection) -> None:
    cursor = writer.cursor()
    cursor.execute("insert into counters (id, label, code, raw_id) values (1, 'x', 'ab', hextoraw('00ff'))")
    cursor.execute("select * from counters")
    assert [(info.name, info.type_code) for info in columns_of(cursor)] == [
        ("ID", oracledb.DB_TYPE_NUMBER), ("LABEL", oracledb.DB_TYPE_VARCHAR), ("AMOUNT", oracledb.DB_TYPE_NUMBER),
        ("SEEN", oracledb.DB_TYPE_DATE), ("CODE", oracledb.DB_TYPE_CHAR), ("RAW_ID", oracledb.DB_TYPE_RAW),
    ]  # fmt: skip
    assert cursor.fetchone() == (1, "x", None, None, "ab  ", b"\x00\xff")


@pytest.mark.usefixtures("table")
def test_a_read_inside_a_transaction_survives_another_statement(writer: oracledb.Connection) -> None:
    cursor, other = writer.cursor(), writer.cursor()
    cursor.executemany("insert into counters (id, label) values (:1, :2)", [(n, "x") for n in range(300)])
    cursor.arraysize = 20
    cursor.execute("select id from counters order by id")
    assert cursor.fetchmany(10)[-1] == (9,)
    assert other.execute("select count(*) from counters").fetchone() == (300,)
    assert [row[0] for row in cursor] == list(range(10, 300))


@pytest.mark.usefixtures("table")
def test_a_half_read_result_inside_a_transaction_can_be_left(writer: oracledb.Connection) -> None:
    cursor = writer.cursor()
    cursor.executemany("insert into counters (id, label) values (:1, :2)", [(n, "x") for n in range(300)])
    cursor.arraysize = 20
    for _ in range(3):
        cursor.execute("select id from counters, (select level l from dual connect by level <= 50)")
        assert len(cursor.fetchmany(10)) == 10
    cursor.execute("delete from counters where id < 100")
    assert cursor.rowcount == 100
    assert _count(writer) == 200


@pytest.mark.usefixtures("table")
def test_a_dropped_connection_rolls_back(standin: RunningStandin, writer: oracledb.Connection) -> None:
    with standin.connect("qg_writer", "writer-pw-1") as doomed:
        doomed.cursor().execute("insert into counters (id, label) values (1, 'lost')")
    assert _count(writer) == 0


def test_create_as_select_and_views(writer: oracledb.Connection) -> None:
    cursor = writer.cursor()
    cursor.execute("create table copied as select order_id, status, ordered_on from orders where order_id <= 5")
    cursor.execute("create view copied_view as select order_id, upper(status) as loud from copied")
    cursor.execute("select * from copied_view order by order_id")
    assert [info.name for info in columns_of(cursor)] == ["ORDER_ID", "LOUD"]
    assert len(cursor.fetchall()) == 5
    cursor.execute("truncate table copied")
    assert cursor.execute("select count(*) from copied_view").fetchone() == (0,)
    cursor.execute("drop view copied_view")
    cursor.execute("drop table copied")
    with pytest.raises(oracledb.DatabaseError, match="ORA-00942"):
        cursor.execute("select * from copied")
