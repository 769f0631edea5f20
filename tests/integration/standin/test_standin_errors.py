"""The usual ORA codes, and a connection that works after each."""

import oracledb
import pytest

from tests.integration.standin.conftest import RunningStandin

_REFUSED = [
    ("select * from nowhere", "ORA-00942"),
    ("select nothing from orders", "ORA-00904"),
    ("select o.nothing from orders o", "ORA-00904"),
    ("select x.order_id from orders o", "ORA-00904"),
    ("select no_such_function(1) from dual", "ORA-00904"),
    ("selec 1 from dual", "ORA-00900"),
    ("select 1 frm dual", "ORA-00933"),
    ("select 1 from dual limit 5", "ORA-00933"),
    ("select 1", "ORA-00923"),
    ("select from dual", "ORA-00936"),
    ("select 1, from dual", "ORA-00936"),
    ("select 1 from orders where order_id =", "ORA-00936"),
    ("select (1 from dual", "ORA-00907"),
    ("select 1 from dual;", "ORA-00911"),
    ("select order_id from orders, order_lines", "ORA-00918"),
    ("select status, count(*) from orders", "ORA-00979"),
    ("select to_number('abc') from dual", "ORA-01722"),
    ("select * from orders where order_id = 'abc'", "ORA-01722"),
    ("select 1 / 0 from dual", "ORA-01476"),
    ("select total_amount / (order_id - order_id) from orders", "ORA-01476"),
    ("select (select order_id from orders) from dual", "ORA-01427"),
    ("select to_date('31/31/2025', 'DD/MM/YYYY') from dual", "ORA-01861"),
    ("select * from orders@elsewhere", "ORA-02019"),
    ("select * from orders where order_id (+) = 1", "ORA-20999"),
    ("delete from orders", "ORA-01031"),
    ("update orders set status = 'x'", "ORA-01031"),
    ("insert into orders (order_id) values (0)", "ORA-01031"),
    ("create table mine (a number)", "ORA-01031"),
    ("drop table orders", "ORA-01031"),
    ("select * from orders for update", "ORA-01031"),
    ("begin dbms_lock.sleep(1); end;", "ORA-06550"),
]


def _execute_and_fetch(cursor: oracledb.Cursor, sql: str) -> None:
    cursor.execute(sql)
    cursor.fetchall()


@pytest.mark.parametrize(("sql", "code"), _REFUSED)
def test_code(connection: oracledb.Connection, sql: str, code: str) -> None:
    cursor = connection.cursor()
    for _ in range(2):
        with pytest.raises(oracledb.DatabaseError) as error:
            _execute_and_fetch(cursor, sql)
        assert error.value.args[0].full_code == code
        assert connection.cursor().execute("select 1 from dual").fetchone() == (1,)


def test_an_error_in_the_middle_of_the_rows(connection: oracledb.Connection) -> None:
    cursor = connection.cursor()
    cursor.arraysize = 5000
    cursor.execute("select 10 / (150001 - row_id) from big_rows")
    with pytest.raises(oracledb.DatabaseError) as error:
        cursor.fetchall()
    assert error.value.args[0].full_code == "ORA-01476"
    assert connection.cursor().execute("select 1 from dual").fetchone() == (1,)


def test_the_error_position_is_told(connection: oracledb.Connection) -> None:
    with pytest.raises(oracledb.DatabaseError) as error:
        connection.cursor().execute("select 1,\n  2 frm dual")
    assert 0 < error.value.args[0].offset <= 22


def test_parse_refuses_as_execute_does(connection: oracledb.Connection) -> None:
    with pytest.raises(oracledb.DatabaseError) as error:
        connection.cursor().parse("select * from nowhere")
    assert error.value.args[0].full_code == "ORA-00942"


async def test_errors_in_many_sessions_at_once(standin: RunningStandin) -> None:
    connections = [await standin.connect_async() for _ in range(5)]
    for connection in connections:
        with pytest.raises(oracledb.DatabaseError):
            await connection.fetchone("select * from nowhere")
    for connection in connections:
        assert await connection.fetchone("select 2 from dual") == (2,)
        await connection.close()
