"""Repeated queries are answered from memory, and never wrongly."""

import oracledb
import pytest

from tests.integration.standin.conftest import RunningStandin

_POINT = "select order_id, status from orders where order_id = :id"


def test_repeats_cost_the_engine_nothing(standin: RunningStandin, connection: oracledb.Connection) -> None:
    cursor = connection.cursor()
    answers = {key: cursor.execute(_POINT, id=key).fetchall() for key in range(1, 20)}
    misses = standin.server.shared.cache.misses
    for _ in range(3):
        for key, rows in answers.items():
            connection.action = f"request {key}"
            assert cursor.execute(_POINT, id=key).fetchall() == rows
    assert standin.server.shared.cache.misses == misses


def test_a_commit_elsewhere_is_seen_at_once(writer: oracledb.Connection, connection: oracledb.Connection) -> None:
    cursor, change = connection.cursor(), writer.cursor()
    change.execute("create table moods (id number(10), mood varchar2(20))")
    change.execute("insert into moods values (1, 'fine')")
    writer.commit()
    try:
        for mood in ("good", "better", "best"):
            for _ in range(4):
                cursor.execute("select mood from moods where id = :id", id=1).fetchall()
            change.execute("update moods set mood = :m where id = 1", m=mood)
            assert cursor.execute("select mood from moods where id = :id", id=1).fetchone() != (mood,)
            writer.commit()
            assert cursor.execute("select mood from moods where id = :id", id=1).fetchone() == (mood,)
    finally:
        change.execute("drop table moods")
    with pytest.raises(oracledb.DatabaseError, match="ORA-00942"):
        cursor.execute("select mood from moods where id = :id", id=1)


def test_what_changes_by_itself_is_not_kept(connection: oracledb.Connection) -> None:
    cursor = connection.cursor()
    for sql in ("select systimestamp from dual", "select rawtohex(sys_guid()) from dual where 1 = :one"):
        binds = {"one": 1} if ":one" in sql else {}
        assert len({cursor.execute(sql, binds).fetchone() for _ in range(5)}) == 5
    for action in ("a", "b", "c"):
        connection.action = action
        row = cursor.execute("select sys_context('USERENV', 'ACTION') from dual").fetchone()
        assert row == (action,)


def test_faults_hold_for_repeats_too(standin: RunningStandin, connection: oracledb.Connection) -> None:
    cursor = connection.cursor()
    for _ in range(4):
        cursor.execute(_POINT, id=7).fetchall()
    standin.call(lambda: standin.server.faults.fail_executes(1555))
    with pytest.raises(oracledb.DatabaseError, match="ORA-01555"):
        cursor.execute(_POINT, id=7)
    assert cursor.execute(_POINT, id=7).fetchone()[0] == 7


def test_one_cursor_with_changing_types_and_defines(connection: oracledb.Connection) -> None:
    cursor = connection.cursor()
    sql = "select order_id, note from orders where order_id = :id"
    for _ in range(3):
        for value in (7, "7", 7.0, None, "8"):
            rows = cursor.execute(sql, id=value).fetchall()
            assert [row[0] for row in rows] == ([] if value is None else [int(value)])


def test_an_open_stream_is_replaced_by_a_repeat(connection: oracledb.Connection) -> None:
    cursor = connection.cursor()
    cursor.arraysize = cursor.prefetchrows = 10
    sql = "select row_id from big_rows where row_id <= :n"
    for _ in range(3):
        assert cursor.execute(sql, n=3).fetchall() == [(1,), (2,), (3,)]
        assert len(cursor.execute(sql, n=1_500_000).fetchmany(25)) == 25
    assert cursor.execute(sql, n=3).fetchall() == [(1,), (2,), (3,)]


def test_who_was_told_of_new_columns_is_not_told_again(
    standin: RunningStandin, writer: oracledb.Connection, connection: oracledb.Connection
) -> None:
    told: list[str] = []

    def note(_cursor: oracledb.Cursor, metadata: oracledb.FetchInfo) -> None:
        told.append(metadata.name)

    connection.outputtypehandler = note
    with standin.connect() as other, connection.cursor() as cursor:
        cursor.execute(_POINT, id=7).fetchall()
        writer.cursor().execute("create table elsewhere (id number(10))")
        try:
            for _ in range(2):
                other.cursor().execute(_POINT, id=7).fetchall()  # plans it anew; its rows are known then
            told.clear()
            cursor.execute(_POINT, id=7).fetchall()
            assert set(told) == {"ORDER_ID", "STATUS"}
            told.clear()
            for _ in range(3):
                cursor.execute(_POINT, id=7).fetchall()
            assert told == []
        finally:
            writer.cursor().execute("drop table elsewhere")
