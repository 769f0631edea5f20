"""Which `:name` is a bind."""

import pytest

from qg_standin.placeholders import placeholder_offsets, rename_placeholders


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        ("select :a from dual", 1),
        ("select :a, :A, :b from dual", 3),
        ("select ':a' from dual", 0),
        ("select 'it''s :a', :b from dual", 1),
        ("select q'[it's :a]', nq'{:b}', q'!x:c!' from dual", 0),
        ('select ":a" from dual where x = :"Q x"', 1),
        ("select 1 -- :a\n, :b /* :c \n :d */ from dual", 1),
        ("select :1, :2, :1 from dual", 3),
        ("select to_char(d, 'HH24:MI:SS') from t where d > :d", 1),
        ("select : spaced from dual", 1),
    ],
)
def test_occurrences(sql: str, count: int) -> None:
    assert len(placeholder_offsets(sql)) == count
    assert len(rename_placeholders(sql).parameters) == count


def test_one_name_is_one_parameter_whatever_its_case() -> None:
    assert rename_placeholders("select :a, :A, :b from dual").parameters == ("qgb1", "qgb1", "qgb2")


def test_positional_binds_are_one_parameter_each() -> None:
    assert rename_placeholders("select :1, :2, :1 from dual").parameters == ("qgb1", "qgb2", "qgb3")


def test_words_the_parser_would_trip_over_are_renamed() -> None:
    bound = rename_placeholders("select 1 from t where a = :fetch and b = :when")
    assert ":fetch" not in bound.sql
    assert ":when" not in bound.sql
