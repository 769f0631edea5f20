"""Values on their way from the database to JSON, through the real driver."""

import base64
import datetime
import json
import os
import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from qg_core.errors import QueryFailed
from qg_core.specs import NumberStyle
from qg_oracle.deadlines import Deadline
from qg_oracle.execute import execute
from qg_oracle.pools import Pools
from qg_oracle.statements import Statement, make_tags
from qg_oracle.targets import ConnectionTarget

# ruff: noqa: DTZ001 - binds are naive, as the binder makes them
TAGS = make_tags("basic:values", "values", "request")
NUMBER_38 = "12345678901234567890123456789012345678"


@pytest.fixture
def ask(pools: Pools, database: ConnectionTarget) -> Any:
    """Run a statement twice on one session (described, then cached) and give its JSON text."""

    async def run(sql: str, binds: dict[str, Any] | None = None, **options: Any) -> str:
        answers = []
        pool = pools.get(msgspec.structs.replace(database, pool_max=1))
        statement = Statement(sql, **options)
        for _ in range(2):
            stream = await execute(pool, statement, binds or {}, Deadline.after_ms(10_000), TAGS)
            answers.append((b"[" + b"".join([chunk async for chunk in stream]) + b"]").decode())
        assert answers[0] == answers[1]
        json.loads(answers[0], parse_float=Decimal)
        return answers[0]

    return run


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        (f"select {NUMBER_38} as n from dual", NUMBER_38),
        (f"select -{NUMBER_38} as n from dual", "-" + NUMBER_38),
        ("select -0.1 as n from dual", "-0.1"),
        ("select .5 as n from dual", "0.5"),
        ("select cast(1.1 as number(15, 2)) as n from dual", "1.1"),
        ("select cast(12345678901234567890.1234 as number(38, 4)) as n from dual", "12345678901234567890.1234"),
        ("select cast(42 as number(10)) as n from dual", "42"),
        ("select cast(0.1 as binary_double) as n from dual", "0.1"),
        ("select cast('nan' as binary_double) as n from dual", "null"),
        ("select cast('inf' as binary_double) as n from dual", "null"),
        ("select null as n from dual", "null"),
        ("select '' as n from dual", "null"),
        ("select hextoraw('00ff') as n from dual", '"00FF"'),
        ("select to_clob('text') as n from dual", '"text"'),
        ("select date '2026-11-21' as n from dual", '"2026-11-21T00:00:00"'),
        ("select cast(timestamp '2026-11-21 08:15:00.25' as timestamp) as n from dual", '"2026-11-21T08:15:00.250000"'),
    ],
)
async def test_selected_values(ask: Any, sql: str, text: str) -> None:
    assert await ask(sql) == f'[{{"N":{text}}}]'


async def test_numbers_of_any_size_are_valid_json_and_exact(ask: Any) -> None:
    answer = await ask("select 1e125 as big, 1e-130 as small, 0 as zero, count(*) as amount from dual")
    assert json.loads(answer, parse_float=Decimal, parse_int=Decimal) == [
        {"BIG": Decimal("1e125"), "SMALL": Decimal("1e-130"), "ZERO": 0, "AMOUNT": 1}
    ]


async def test_wide_numbers_as_strings(ask: Any) -> None:
    sql = f"select {NUMBER_38} as wide, cast(7 as number(15)) as narrow, -0.25 as free from dual"
    answer = await ask(sql, numbers=NumberStyle.STRING)
    assert answer == f'[{{"WIDE":"{NUMBER_38}","NARROW":7,"FREE":"-0.25"}}]'
    assert await ask(sql) == f'[{{"WIDE":{NUMBER_38},"NARROW":7,"FREE":-0.25}}]'
    assert await ask(sql, numbers=NumberStyle.STRING) == answer


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("-" + "9" * 38), "-" + "9" * 38),
        (Decimal("0.1"), "0.1"),
        (7, "7"),
        (1, "1"),
        (2.5, "2.5"),
        (None, "null"),
        ("\u00e4\U0001d11e\"", '"\u00e4\U0001d11e\\""'),
        (datetime.date(1850, 2, 3), '"1850-02-03T00:00:00"'),
        (datetime.datetime(1, 1, 1), '"0001-01-01T00:00:00"'),
        (datetime.datetime(1582, 10, 4, 1, 2, 3), '"1582-10-04T01:02:03"'),
        (datetime.datetime(2026, 11, 21, 8, 15, 0, 123_456), '"2026-11-21T08:15:00.123456"'),
        (datetime.datetime(9999, 12, 31, 23, 59, 59), '"9999-12-31T23:59:59"'),
    ],
)  # fmt: skip
async def test_bound_values_come_back_as_they_went(ask: Any, value: Any, text: str) -> None:
    assert await ask("select :v as n from dual", {"v": value}) == f'[{{"N":{text}}}]'


@pytest.mark.parametrize("letter", ["x", "\u00fc", "\u20ac", "\U0001d11e"])
async def test_four_thousand_characters(ask: Any, letter: str) -> None:
    answer = await ask("select :v as n from dual", {"v": letter * 4_000})
    assert json.loads(answer) == [{"N": letter * 4_000}]


async def test_a_megabyte_of_clob(ask: Any) -> None:
    text = "0123456789abcde\u20ac" * 65_536
    answer = json.loads(await ask("select to_clob(:v) as n, 1 as one from dual", {"v": text}))
    assert answer == [{"N": text, "ONE": 1}]


async def test_names_that_need_escaping_and_maps(ask: Any) -> None:
    answer = await ask('select 1 as "a\\b", 2 as "Mixed Case", 3 as plain from dual', column_map={"PLAIN": "renamed"})
    assert json.loads(answer) == [{"a\\b": 1, "Mixed Case": 2, "renamed": 3}]


@pytest.mark.parametrize("value", [float("nan"), Decimal("1e126"), 10**130])
async def test_a_bind_that_is_no_oracle_number_fails_and_the_session_lives_on(ask: Any, value: Any) -> None:
    with pytest.raises(QueryFailed) as caught:
        await ask("select :v as n from dual", {"v": value})
    assert caught.value.cause_code in {"DPY-4003", "DPY-4004"}
    assert await ask("select 1 as n from dual") == '[{"N":1}]'


@pytest.mark.skipif("ORACLE_TEST_DSN" in os.environ, reason="the demo tables are the stand-in's")
async def test_columns_of_every_kind_in_the_demo_tables(ask: Any) -> None:
    contract = json.loads(await ask("select signed_at, remarks, total_value from supplier_contracts where rownum <= 1"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?", contract[0]["SIGNED_AT"])  # no invented zone
    assert len(contract[0]["REMARKS"]) > 100
    item = json.loads(await ask("select drawing from items where drawing is not null and rownum <= 1"))
    assert base64.b64decode(item[0]["DRAWING"], validate=True).startswith(b"drawing")
    order = json.loads(await ask("select order_guid, ordered_on, placed_at from orders where rownum <= 1"))
    assert re.fullmatch("[0-9A-F]{32}", order[0]["ORDER_GUID"])
    assert order[0]["ORDERED_ON"].endswith("T00:00:00")
