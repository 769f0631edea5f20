"""The Oracle SQL of reports, answered as Oracle would."""

import datetime as dt
from decimal import Decimal

import oracledb
import pytest

from tests.integration.standin.conftest import RunningStandin, columns_of

_at = dt.datetime.fromisoformat

_ONE_VALUE = [
    ("nvl(null, 5)", 5),
    ("nvl2('x', 'yes', 'no')", "yes"),
    ("decode(2, 1, 'one', 2, 'two', 'many')", "two"),
    ("decode(null, null, 'null', 'value')", "null"),
    ("coalesce(null, null, 'c')", "c"),
    ("'a' || null || 'b'", "ab"),
    ("''", None),
    ("q'[it's]'", "it's"),
    ("upper('é') || initcap('hello wORLD')", "ÉHello World"),
    ("substr('hello', -3, 2)", "ll"),
    ("instr('hello', 'l', 4)", 4),
    ("lpad('7', 3, '0') || rpad('a', 2)", "007a "),
    ("replace('abc', 'b')", "ac"),
    ("translate('abc', 'ab', 'xy')", "xyc"),
    ("length('äöü') + lengthb('äöü')", 9),
    ("regexp_substr('order 42', '[0-9]+')", "42"),
    ("regexp_replace('a1b22', '[0-9]', '#')", "a#b##"),
    ("round(2.567, 2)", 2.57),
    ("trunc(-2.567, 1)", -2.5),
    ("mod(-7, 3)", -1),
    ("mod(5, 0)", 5),
    ("7 / 2", 3.5),
    ("greatest(3, 1, 2) - least(3, 1, 2)", 2),
    ("to_number('1,234.5', '9G999D9')", 1234.5),
    ("to_char(1234567.891, 'FM999G999G990D00')", "1,234,567.89"),
    ("to_char(12, '00000')", " 00012"),
    ("to_char(1234.50)", "1234.5"),
    ("to_char(0.5)", ".5"),
    ("to_char(date '2025-02-03', 'DD-MON-YYYY')", "03-FEB-2025"),
    ("to_char(date '2025-02-03', 'FMMonth DD, YYYY Q')", "February 03, 2025 1"),
    ("to_char(timestamp '2025-02-03 14:05:06.789', 'YYYY-MM-DD\"T\"HH24:MI:SS.FF3')", "2025-02-03T14:05:06.789"),
    ("to_date('03/02/25 14:05', 'DD/MM/RR HH24:MI')", _at("2025-02-03T14:05")),
    ("to_timestamp('2025-02-03 04:05:06.789', 'YYYY-MM-DD HH24:MI:SS.FF')", _at("2025-02-03T04:05:06.789")),
    ("date '2025-01-31' + 1", _at("2025-02-01")),
    ("date '2025-01-31' - 0.5", _at("2025-01-30T12:00")),
    ("date '2025-03-01' - date '2025-01-01'", 59),
    ("date '2025-01-01' + interval '36' hour", _at("2025-01-02T12:00")),
    ("add_months(date '2025-01-31', 1)", _at("2025-02-28")),
    ("add_months(date '2025-02-28', 1)", _at("2025-03-31")),
    ("last_day(date '2024-02-10')", _at("2024-02-29")),
    ("months_between(date '2025-03-31', date '2025-01-31')", 2),
    ("next_day(date '2025-01-01', 'MONDAY')", _at("2025-01-06")),
    ("trunc(to_date('2025-05-17 10:11', 'YYYY-MM-DD HH24:MI'))", _at("2025-05-17")),
    ("trunc(date '2025-05-17', 'MM')", _at("2025-05-01")),
    ("trunc(date '2025-05-17', 'Q')", _at("2025-04-01")),
    ("trunc(date '2025-05-17', 'IW')", _at("2025-05-12")),
    ("extract(month from date '2025-05-17')", 5),
    ("cast('5' as integer) + cast('1.25' as number(5, 2))", 6.25),
    ("cast('abcdef' as varchar2(3))", "abc"),
    ("rawtohex(hextoraw('00ff'))", "00FF"),
    ("case when 1 = 1 and null is null then 'yes' end", "yes"),
    ("sign(trunc(sysdate) - date '2020-01-01')", 1),
]


@pytest.mark.parametrize(("expression", "expected"), _ONE_VALUE)
def test_expression(connection: oracledb.Connection, expression: str, expected: object) -> None:
    assert connection.cursor().execute(f"select {expression} from dual").fetchone() == (expected,)


_PAGED = """select * from (select a.*, rownum rn from (select order_id from orders order by order_id desc) a
  where rownum <= 4) where rn > 2"""
_JOINED = """select count(*) from orders o left join order_lines l on l.order_id = o.order_id
  where o.order_id = 1 and l.order_id is null"""
_LEVELS = "(select level n from dual connect by level <= 3)"
_COMMENTED = "select order_id -- not :this\n from orders where order_id = :b /* nor :this */ and 'x:y' = 'x:y'"

_QUERIES: list[tuple[str, dict[str, object], list[tuple[object, ...]]]] = [
    ("select level n from dual connect by level <= :n", {"n": 3}, [(1,), (2,), (3,)]),
    ("select order_id from (select order_id from orders order by order_id) where rownum <= 2", {}, [(1,), (2,)]),
    (_PAGED, {}, [(798, 3), (797, 4)]),
    ("select order_id from orders order by 1 offset :o rows fetch next :n rows only", {"o": 5, "n": 2}, [(6,), (7,)]),
    ("select 1 from dual where :a is null or :a = 'x'", {"a": None}, [(1,)]),
    ("select 1 a from dual union all select 2 from dual minus select 1 from dual", {}, [(2,)]),
    ("select count(*) from orders where order_id in (:a, :b, :c)", {"a": 1, "b": 2, "c": None}, [(2,)]),
    (f"select listagg(n, '-') within group (order by n desc) from {_LEVELS}", {}, [("3-2-1",)]),
    (
        f"select n, sum(n) over (order by n) s, lag(n) over (order by n) l from {_LEVELS}",
        {},
        [(1, 1, None), (2, 3, 1), (3, 6, 2)],
    ),
    ("select x from (select null x from dual union all select 1 from dual) order by x desc", {}, [(None,), (1,)]),
    (_JOINED, {}, [(0,)]),
    ("with t as (select :a + 1 b from dual) select b * 2 from t", {"a": Decimal("1.5")}, [(5,)]),
    ("select count(*) from orders where ordered_on < :d", {"d": _at("2020-01-01")}, [(0,)]),
    ("select /*+ first_rows(1) */ o.order_id from supply.orders o where o.order_id = :k", {"k": "7"}, [(7,)]),
    (_COMMENTED, {"b": 3}, [(3,)]),
]


@pytest.mark.parametrize(("sql", "binds", "expected"), _QUERIES)
def test_query(
    connection: oracledb.Connection, sql: str, binds: dict[str, object], expected: list[tuple[object, ...]]
) -> None:
    assert connection.cursor().execute(sql, binds).fetchall() == expected


@pytest.mark.parametrize(
    ("items", "names"),
    [("order_id, status as s, total_amount \"Total\"", ["ORDER_ID", "S", "Total"]),
     ("count(*), max( order_id )", ["COUNT(*)", "MAX(ORDER_ID)"]),
     ("o.*, 1 + 1", None), (":a, :b x", [":A", "X"])],
)  # fmt: skip
def test_names_of_columns(connection: oracledb.Connection, items: str, names: list[str] | None) -> None:
    cursor = connection.cursor()
    cursor.execute(f"select {items} from orders o where rownum = 1", {"a": 1, "b": 2} if ":a" in items else {})
    described = [info.name for info in columns_of(cursor)]
    if names is None:
        assert described[0] == "ORDER_ID"
        assert described[-1] == "1+1"
        assert all(name == name.upper() for name in described)
    else:
        assert described == names


def test_the_demo_is_the_same_everywhere(standin: RunningStandin, connection: oracledb.Connection) -> None:
    other = RunningStandin(demo=True, scale=0.02)
    other.start()
    try:
        with other.connect() as second:
            for table in ("customers", "items", "suppliers", "orders", "order_lines", "production_capacity",
                          "inventory_positions", "supplier_contracts"):  # fmt: skip
                sql = f"select * from {table} order by 1, 2, 3"
                rows = [c.cursor().execute(sql, fetch_lobs=False).fetchall() for c in (connection, second)]
                assert rows[0] == rows[1]
                assert len(rows[0]) >= 10
    finally:
        other.stop()


def test_order_totals_are_the_sums_of_their_lines(connection: oracledb.Connection) -> None:
    sql = """select count(*) from (select o.order_id from orders o join order_lines l on l.order_id = o.order_id
             group by o.order_id, o.total_amount having abs(sum(l.amount) - o.total_amount) > 0.005)"""
    assert connection.cursor().execute(sql).fetchone() == (0,)
