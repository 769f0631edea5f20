"""Statements learn how many rows to fetch at once; tags fit Oracle's lengths; calls are counted."""

import time

import pytest

from qg_core.errors import EndpointBusy
from qg_oracle.backoff import FORGIVEN_WITHIN_S, Backoff
from qg_oracle.cancelling import CancelSignal
from qg_oracle.columns import LOB_ROW_BYTES_GUESS, Column, ColumnKind
from qg_oracle.deadlines import Deadline
from qg_oracle.errors import Failure, FailureKind
from qg_oracle.statements import (
    BATCH_BYTES,
    BATCH_BYTES_WORST,
    BATCH_ROWS_MAX,
    NARROW_ROW_BYTES,
    ROWS_FIRST,
    Statement,
    is_query,
    make_tags,
)

NARROW = (Column("A", ColumnKind.NUMBER, "NUMBER"),)
WIDE = tuple(Column(f"C{n}", ColumnKind.TEXT, "VARCHAR", bytes_max=16_000) for n in range(20))
LOB = (Column("L", ColumnKind.TEXT, "CLOB", bytes_max=LOB_ROW_BYTES_GUESS, is_lob=True),)


def test_batches_grow_with_small_rows_and_shrink_with_large_ones() -> None:
    statement = Statement("select 1 from dual")
    assert statement.batch_rows == ROWS_FIRST
    statement.note_batch(NARROW, 100, 100 * 20)
    assert statement.batch_rows == BATCH_ROWS_MAX
    statement.note_batch(NARROW, 5_000, 5_000 * 10_000)
    assert statement.batch_rows == BATCH_BYTES // 10_000
    statement.note_batch(NARROW, 10, 10 * 2 * BATCH_BYTES)
    assert statement.batch_rows == 1
    statement.note_batch(NARROW, 0, 0)
    assert statement.batch_rows == 1


def test_the_first_fetch_asks_for_one_row_more_than_the_limit_at_most() -> None:
    assert Statement("select 1 from dual", rows_max=10).first_rows == 11
    assert Statement("select 1 from dual", rows_max=1_000).first_rows == ROWS_FIRST


def test_rows_that_get_wide_make_the_largest_batch_smaller() -> None:
    statement = Statement("select 1 from dual")
    statement.note_batch(NARROW, 100, 100 * 20)
    statement.note_batch(NARROW, 100, 100 * (NARROW_ROW_BYTES + 100))
    assert statement.batch_rows == BATCH_BYTES // (NARROW_ROW_BYTES + 100)


def test_the_first_fetch_grows_with_whole_results_only() -> None:
    statement = Statement("select 1 from dual", rows_max=100_000)
    for _ in range(10):
        statement.note_batch(NARROW, 1, 20)
        statement.note_total(1)
    assert (statement.first_rows, statement.batch_rows) == (ROWS_FIRST, BATCH_ROWS_MAX)
    statement.note_total(300)
    assert statement.first_rows == 600
    statement.note_total(10_000)
    assert statement.first_rows == BATCH_ROWS_MAX
    statement.note_batch(NARROW, 10, 10 * BATCH_BYTES)
    assert statement.first_rows == 1


def test_wide_declarations_bound_a_batch_even_while_rows_are_short() -> None:
    statement = Statement("select 1 from dual")
    statement.note_batch(WIDE, 100, 100 * 50)
    assert statement.batch_rows <= BATCH_BYTES_WORST // (20 * 16_000)


def test_one_small_lob_says_little_about_the_others() -> None:
    statement = Statement("select 1 from dual")
    statement.note_batch(LOB, 1, 50)
    assert statement.batch_rows == ROWS_FIRST
    statement.note_batch(LOB, 8, 8 * 1_000_000)
    assert statement.batch_rows == BATCH_BYTES // 1_000_000


def test_concurrency_is_counted() -> None:
    statement = Statement("select 1 from dual", concurrency_max=2)
    statement.enter()
    statement.enter()
    with pytest.raises(EndpointBusy) as caught:
        statement.enter()
    assert caught.value.headers["Retry-After"] == "1"
    statement.leave()
    statement.enter()


def test_encoders_are_made_once_per_shape() -> None:
    statement = Statement("select 1 from dual", column_map={"A": "a"})
    assert statement.encoder_for(NARROW) is statement.encoder_for(NARROW)
    same = (Column("A", ColumnKind.NUMBER, "NUMBER"),)
    assert statement.encoder_for(same) is statement.encoder_for(NARROW)
    assert statement.known(same) is NARROW, "one object for all sessions"
    assert statement.encoder_for(NARROW).names == ("a",)
    for number in range(30):
        statement.encoder_for((Column(f"X{number}", ColumnKind.TEXT, "VARCHAR"),))


@pytest.mark.parametrize(
    "text", ["", "x", "x" * 500, "\u00e4" * 500, "\U0001d11e" * 500, "x" + "\u20ac" * 100, "\ud800" * 90]
)
def test_tags_are_cut_to_bytes_and_stay_text(text: str) -> None:
    tags = make_tags(text, text, text)
    for value, bytes_max in ((tags.client_identifier, 64), (tags.module, 48), (tags.action, 32)):
        raw = value.encode()
        assert len(raw) <= bytes_max
        assert text.encode("utf-8", "replace").startswith(raw)


@pytest.mark.parametrize(
    ("sql", "query"),
    [
        ("select 1 from dual", True),
        ("  -- note\n /* more */ (SELECT 1 from dual)", True),
        ("with x as (select 1 a from dual) select a from x", True),
        ("((select 1 from dual) union (select 2 from dual))", True),
        ("delete from t", False),
        ("begin null; end;", False),
        ("selection from t", False),
        ("-- select\ndelete from t", False),
        ("/* select */ drop table t", False),
        ("/* select", False),
        ("", False),
    ],
)
def test_what_begins_as_a_query(sql: str, query: bool) -> None:
    assert Statement(sql).is_query is query


@pytest.mark.timeout(5)
@pytest.mark.parametrize("part", ["/**/", "/*", "(", " ", "--\n", "-- /*\n", "/* -- */\n", "*/"])
def test_looking_for_a_query_is_quick_on_any_text(part: str) -> None:
    text = part * (65_536 // len(part))
    assert not is_query(text)
    assert not is_query(text + "x")


def test_deadlines() -> None:
    assert 4.9 < Deadline.after_ms(5_000).left_s() <= 5.0
    past = Deadline.after_ms(-10)
    assert past.passed
    assert past.left_s() < 0


def test_a_signal_tells_its_listener_once_also_afterwards() -> None:
    heard: list[str] = []
    signal = CancelSignal()
    signal.listen(heard.append)
    assert not signal.fired
    signal.fire("gone")
    signal.fire("again")
    assert heard == ["gone"]
    late: list[str] = []
    signal.listen(late.append)
    assert late == ["gone"]
    forgotten = CancelSignal()
    forgotten.listen(heard.append)
    forgotten.forget()
    forgotten.fire("gone")
    assert heard == ["gone"]


def test_refused_sign_ins_wait_longer_than_a_broken_network() -> None:
    refused, broken, lost = Backoff(), Backoff(), Backoff()
    refused.failed(Failure(FailureKind.REFUSED, "ORA-01017"))
    broken.failed(Failure(FailureKind.UNREACHABLE, "DPY-6005"))
    lost.failed(Failure(FailureKind.LOST, "DPY-4011"))
    assert refused.delay_s >= 1 > broken.delay_s > 0
    assert (refused.allows, broken.allows) == (False, False)
    forgiven = lost.allows
    time.sleep(2 * FORGIVEN_WITHIN_S)
    lost.failed(Failure(FailureKind.LOST, "DPY-4011"))
    assert (forgiven, lost.allows) == (True, False)
    refused.failed(Failure(FailureKind.REFUSED, "ORA-01017"))
    assert refused.delay_s == 1  # side by side counts once
    refused.succeeded()
    assert refused.allows
    assert refused.failure is None
