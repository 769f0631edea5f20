"""Values on their way from Oracle to the consumer: nothing rounded, nothing cut, nothing invented."""

import json
from decimal import Decimal

import pytest

from tests.e2e.conftest import Standing
from tests.e2e.fleet import get

_WIDE = "12345678901234567890123456789012345678"


def _ask(standing: Standing, path: str, sql: str, query: str = "", **fields: object) -> tuple[dict[str, object], str]:
    known = {"param_schema": {}, "rows_max": 10, "bytes_max": 20_000_000}
    standing.admin.endpoint(path, standing.connection, sql_text=sql, **{**known, **fields})
    answer = get(standing.node, f"{path}?{query}", **{"X-QG-Min-Revision": str(standing.admin.revision)})
    assert answer.status_code == 200, answer.text
    document = json.loads(answer.text, parse_float=Decimal)
    row: dict[str, object] = document["data"][0]
    return row, answer.text


def test_numbers_keep_all_their_digits(standing: Standing) -> None:
    sql = f"select {_WIDE} as wide, -{_WIDE} as low, -0.1 as tenth, 0.5 as half, 1 as one, null as nothing from dual"
    row, text = _ask(standing, "values/numbers", sql)
    assert (row["WIDE"], row["LOW"]) == (int(_WIDE), -int(_WIDE))
    assert (str(row["TENTH"]), str(row["HALF"]), row["ONE"], row["NOTHING"]) == ("-0.1", "0.5", 1, None)
    assert _WIDE in text
    row, text = _ask(standing, "values/strings", sql, numbers="string")
    assert row["WIDE"] == _WIDE


def test_bound_numbers_come_back_as_sent(standing: Standing) -> None:
    parameters = {"n": {"type": "integer"}, "d": {"type": "decimal"}}
    row, _ = _ask(
        standing, "values/bound", "select :n as n, :d as d from dual", f"n=-{_WIDE}&d=-0.1", param_schema=parameters
    )
    assert (row["N"], str(row["D"])) == (-int(_WIDE), "-0.1")


def test_old_dates(standing: Standing) -> None:
    sql = (
        "select date '1582-10-15' as gregory, to_date('1899-12-31 23:59:58', 'YYYY-MM-DD HH24:MI:SS') as old from dual"
    )
    row, _ = _ask(standing, "values/dates", sql)
    assert (row["GREGORY"], row["OLD"]) == ("1582-10-15T00:00:00", "1899-12-31T23:59:58")


@pytest.mark.parametrize("letter", ["ü", "語", "𝄞"])
def test_four_thousand_characters(standing: Standing, letter: str) -> None:
    wanted = letter * 1_000
    path = f"values/text-{ord(letter)}"
    parameters = {"text": {"type": "string", "max_length": 4_000}}
    sql = "select :text || :text || :text || :text as long_text from dual"
    row, _ = _ask(standing, path, sql, f"text={letter * 400}", param_schema=parameters)
    assert row["LONG_TEXT"] == letter * 1_600
    rows, _ = _ask(standing, f"{path}-whole", f"select '{wanted * 4}' as long_text from dual")
    assert rows["LONG_TEXT"] == wanted * 4


def test_a_clob_of_a_megabyte(standing: Standing) -> None:
    row, _ = _ask(standing, "values/clob", "select to_clob(rpad('x', 1048576, 'xyz')) as big from dual")
    assert row["BIG"] == ("x" + "xyz" * 349_525)[:1_048_576]
