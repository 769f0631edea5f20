"""Rows to JSON without a server: exact values, odd names, and the same bytes as the plain way."""

# ruff: noqa: DTZ001 - the driver gives datetimes without a zone

import datetime
import json
import struct
from decimal import Decimal
from typing import Any

import msgspec
import oracledb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qg_core.errors import DuplicateColumns, QueryFailed
from qg_oracle import columns as columns_module
from qg_oracle.columns import Column, ColumnKind
from qg_oracle.values import RowEncoder, compile_row_encoder, output_names


def column(name: str, kind: ColumnKind = ColumnKind.TEXT) -> Column:
    return Column(name, kind, "VARCHAR")


def encoded(*values: object) -> str:
    encoder = RowEncoder([f"C{position}" for position in range(len(values))])
    return encoder.encode([values]).decode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (0, "0"),
        (10**38 - 1, "9" * 38),
        (-(10**38) + 1, "-" + "9" * 38),
        (Decimal("12345678901234567890123456789012345678"), "12345678901234567890123456789012345678"),
        (Decimal("-0.1"), "-0.1"),
        (Decimal(".5"), "0.5"),
        (Decimal("1.10"), "1.10"),
        (Decimal("1E+125"), "1E+125"),
        (Decimal("1E-130"), "1E-130"),
        (-0.1, "-0.1"),
        (1e22, "1e22"),
        (float("nan"), "null"),
        (float("inf"), "null"),
        (float("-inf"), "null"),
        (True, "true"),
        ("\u00e4\U0001d11e\u0001\"\\", '"\u00e4\U0001d11e\\u0001\\"\\\\"'),
        (b"\x00\xff", '"AP8="'),
        (datetime.datetime(2026, 11, 21, 8, 15), '"2026-11-21T08:15:00"'),
        (datetime.datetime(1, 1, 1), '"0001-01-01T00:00:00"'),
        (datetime.datetime(1583, 10, 15, 1, 2, 3, 400_000), '"1583-10-15T01:02:03.400000"'),
        (datetime.datetime(9999, 12, 31, 23, 59, 59, 999_999), '"9999-12-31T23:59:59.999999"'),
        (datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), '"2026-01-01T00:00:00Z"'),
    ],
)  # fmt: skip
def test_values(value: object, text: str) -> None:
    assert encoded(value) == f'{{"C0":{text}}}'
    json.loads(encoded(value))


@pytest.mark.parametrize(
    ("convert", "value", "text"),
    [
        ("_hex", b"\xde\xad\xbe\xef", "DEADBEEF"),
        ("_as_utc", datetime.datetime(2026, 1, 1, 2), datetime.datetime(2026, 1, 1, 2, tzinfo=datetime.UTC)),
        ("_day_to_second", datetime.timedelta(1, 2 * 3_600 + 184, 500_000), "P1DT2H3M4.5S"),
        ("_day_to_second", -datetime.timedelta(days=1, hours=2, minutes=3, seconds=4), "-P1DT2H3M4S"),
        ("_day_to_second", datetime.timedelta(0), "P0DT0H0M0S"),
        ("_year_to_month", oracledb.IntervalYM(1, 2), "P1Y2M"),
        ("_year_to_month", oracledb.IntervalYM(-1, -2), "-P1Y2M"),
        ("_year_to_month", oracledb.IntervalYM(0, -2), "-P0Y2M"),
        ("_single_precision", 0.10000000149011612, 0.1),
        ("_single_precision", 16777216.0, 16777216.0),
        ("_single_precision", float("inf"), float("inf")),
        ("_json_text", '{"a": 1.10}', {"a": Decimal("1.10")}),
        ("_json_text", "{a: 1}", "{a: 1}"),
        ("_json_text", b'{"a": [1, null]}', {"a": [1, None]}),
    ],
)  # fmt: skip
def test_converters(convert: str, value: object, text: object) -> None:
    assert getattr(columns_module, convert)(value) == text


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_single_precision_stays_the_same_single(value: float) -> None:
    assert struct.pack("f", columns_module._single_precision(value)) == struct.pack("f", value)


@given(
    st.lists(
        st.tuples(
            st.integers(-(10**38), 10**38),
            st.one_of(st.none(), st.text(max_size=20)),
            st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-1e38"), max_value=Decimal("1e38")),
            st.datetimes(),
        ),
        max_size=5,
    )
)
def test_it_is_what_dicts_would_have_been(rows: list[tuple[Any, ...]]) -> None:
    names = ["ID", "odd name\"'", "COUNT(*)", "\u00e4"]
    plain = msgspec.json.Encoder(decimal_format="number").encode([dict(zip(names, row, strict=True)) for row in rows])
    assert b"[" + RowEncoder(names).encode(rows) + b"]" == plain


@pytest.mark.parametrize("name", ["COUNT(*)", "a b", "", "class", '\u00e4"\\', "__dict__", "c0", "self", "x" * 4000])
def test_any_column_name_is_a_key(name: str) -> None:
    assert json.loads(RowEncoder([name, "other"]).encode([(1, 2)])) == {name: 1, "other": 2}


def test_batches_have_commas_between_their_rows_only() -> None:
    encoder = RowEncoder(["A"])
    assert encoder.encode([]) == b""
    assert encoder.encode([(1,), (2,)]) == b'{"A":1},{"A":2}'


def test_column_map_renames_by_exact_name_first() -> None:
    columns = [column("ORDER_ID"), column("order_id"), column("QTY"), column("REST")]
    assert output_names(columns, {"ORDER_ID": "id", "order_id": "lower", "qty": "quantity"}) == (
        "id", "lower", "quantity", "REST",
    )  # fmt: skip


def test_duplicates_are_refused() -> None:
    with pytest.raises(DuplicateColumns):
        compile_row_encoder([column("A"), column("A")], {})
    with pytest.raises(DuplicateColumns):
        compile_row_encoder([column("A"), column("B")], {"A": "B"})
    compile_row_encoder([column("A"), column("B")], {"A": "B", "B": "A"})


def test_types_without_a_json_form_are_refused() -> None:
    with pytest.raises(QueryFailed) as caught:
        compile_row_encoder([Column("O", ColumnKind.UNSUPPORTED, "OBJECT")], {})
    assert caught.value.cause_code == "unsupported:OBJECT"
    with pytest.raises(QueryFailed) as caught:
        RowEncoder(["A"]).encode([(object(),)])
    assert caught.value.cause_code == "value:TypeError"
    nested: list[Any] = []
    for _ in range(5_000):
        nested = [nested]
    with pytest.raises(QueryFailed):
        RowEncoder(["A"]).encode([(nested,)])
