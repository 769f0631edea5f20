"""What `check` returns and how it speaks about problems."""

from __future__ import annotations

import copy

import pytest

from qg_core.sql_policy import SqlProblem, SqlRefused
from qg_core.sql_policy.policy import check


def problems_of(statement: str, *allowed: str) -> tuple[SqlProblem, ...]:
    with pytest.raises(SqlRefused) as refused:
        check(statement, allowed_functions=frozenset(allowed))
    return refused.value.problems


def rules_of(statement: str, *allowed: str) -> set[str]:
    return {problem.rule for problem in problems_of(statement, *allowed)}


def test_binds_are_lower_case_distinct_and_in_order() -> None:
    facts = check("select :b, :A, ':c', q'[:d]' /* :e */ from t where x = :a and y = :B -- :f")
    assert facts.binds == ("b", "a")


def test_tables_leave_out_ctes_and_know_quotes() -> None:
    facts = check(
        'with x as (select * from app.orders) select * from x join "Items" i on i.id = x.id '
        "where exists (select 1 from customers, app.orders)"
    )
    assert facts.tables == ("APP.ORDERS", "Items", "CUSTOMERS")


def test_all_problems_at_once_in_order_with_place() -> None:
    problems = problems_of("select my_pkg.f,\n  'a' || b, g(1)\nfrom t@remote where x = :1")
    assert [(p.rule, p.line, p.column) for p in problems] == [
        ("concatenation", 2, 7),
        ("database_link", 3, 7),
        ("bind", 3, 25),
    ]
    problems = problems_of("select my_pkg.f,\n  'a' || b, g(1)\nfrom t for update")
    assert [(p.rule, p.line) for p in problems][1:] == [
        ("concatenation", 2),
        ("function", 2),
        ("for_update", 3),
    ]
    assert "CONCAT" in problems[1].message


def test_the_place_of_a_package_call_is_where_it_stands() -> None:
    (problem,) = problems_of("select a,\n       dbms_random.value\nfrom t")
    assert (problem.rule, problem.line, problem.column) == ("package_call", 2, 8)


def test_the_refusal_is_a_value_error_that_travels() -> None:
    with pytest.raises(ValueError, match="line 1, column 1"):
        check("commit")
    with pytest.raises(SqlRefused) as refused:
        check("commit")
    assert copy.copy(refused.value).problems == refused.value.problems


def test_syntax_errors_carry_no_terminal_codes() -> None:
    (problem,) = problems_of("select a,\n  from (t")
    assert problem.rule == "syntax"
    assert problem.line == 2
    assert problem.message.isprintable()


def test_allowed_functions_open_exactly_what_they_name() -> None:
    statement = "select my_pkg.price(i.id), tax(i.price), app.calendar.week, user from items i"
    assert rules_of(statement) == {"package_call", "function", "environment"}
    check(statement, allowed_functions=frozenset({"My_Pkg.Price", "TAX", "app.calendar.week", "user"}))
    assert rules_of("select my_pkg.cost(1) from dual", "my_pkg.price", "my_pkg") == {"package_call"}
    assert rules_of("select app.my_pkg.price(1) from dual", "my_pkg.price") == {"package_call"}
    check("select app.my_pkg.price(1) from dual", allowed_functions=frozenset({"app.my_pkg.price"}))
    assert rules_of('select "my_pkg".price(1) from dual', "my_pkg.price") == {"package_call"}
    check('select "MY_PKG"."PRICE"(1) from dual', allowed_functions=frozenset({"my_pkg.price"}))
    assert rules_of("select price(1) from dual", "my_pkg.price") == {"function"}
    check("select tax from dual", allowed_functions=frozenset({"tax"}))
    check("select my_pkg.f from dual", allowed_functions=frozenset({"my_pkg.f"}))
    check(
        "select dbms_random.value, dbms_random.value(1, 2) from dual",
        allowed_functions=frozenset({"dbms_random.value"}),
    )


@pytest.mark.parametrize("name", ["xmltype", "bfilename", "table", "httpuritype", "xmltable", "cursor", "extractvalue"])
def test_some_functions_can_never_be_allowed(name: str) -> None:
    assert rules_of(f"select {name}('x') from t", name, name.upper())
    assert rules_of(f"select * from {name}('x')", name, name.upper())


@pytest.mark.parametrize(
    "statement",
    [
        "select * from my_function(1)",
        "select * from table(my_function(1))",
        "select my_seq.nextval from dual",
        "select a@link from t",
        "select 'a' || my_function from t",
    ],
)
def test_allowing_a_function_opens_no_other_rule(statement: str) -> None:
    assert rules_of(statement, "my_function", "my_seq.nextval", "table", "a")


def test_pseudo_columns_are_known_where_nothing_else_is() -> None:
    check(
        "select rownum, level, sysdate, systimestamp, current_date, sessiontimezone, dbtimezone, connect_by_isleaf "
        "from dual connect by level < 3"
    )


def test_crlf_is_a_line_end_and_a_lone_cr_is_not() -> None:
    assert check("select a, -- :b\r\n :c\r\nfrom t").binds == ("c",)
    assert rules_of("select a -- x\r, f(1) from t") == {"control_character"}


def test_size_is_counted_in_bytes() -> None:
    filler = "/*" + "ä" * 1000 + "*/"
    check("select 1 from dual" + filler * 32)
    assert rules_of("select 1 from dual" + filler * 33) == {"size"}


def test_at_most_twenty_problems() -> None:
    assert len(problems_of("select " + ", ".join(f"f{i}(1)" for i in range(100)) + " from t")) == 20


def test_a_statement_at_the_nesting_limit_passes_and_one_deeper_is_refused() -> None:
    check("select " + "(" * 20 + "1" + ")" * 20 + " from dual")
    assert rules_of("select " + "(" * 21 + "1" + ")" * 21 + " from dual") == {"nesting"}


def test_names_in_scope_are_told_apart_by_quotes() -> None:
    check('select "c".x, C.y from customers "c", orders c')
    assert rules_of('select "c".x from customers c') == {"package_call"}


def test_derived_tables_do_not_see_their_neighbours_but_lateral_ones_do() -> None:
    assert rules_of("select * from t a, (select a.x from u) b") == {"package_call"}
    check("select * from t a, lateral (select a.x from u) b")
    assert rules_of("with w as (select a.x from u) select * from t a, w") == {"package_call"}


def test_columns_are_the_names_that_only_the_database_can_tell_from_calls() -> None:
    facts = check(
        "select c.id, region, rownum, x.one, two, c.* from customers c, (select 1 as one, 2 as two from dual) x "
        "order by region, c.id"
    )
    assert facts.columns == ("C.ID", "REGION")


def test_messages_are_short_and_printable_whatever_the_names() -> None:
    (problem,) = problems_of("select " + "x" * 120 + ("." + "y" * 120) * 10 + "(1) from t")
    assert len(problem.message) <= 300
    problems = problems_of('select "x\u200b\u2003y".f(1) from t')
    assert all(problem.message.isprintable() for problem in problems)


def test_dotted_names_inside_a_pattern_are_not_overlooked() -> None:
    statement = "select * from t match_recognize (order by d pattern (a my_pkg.f) define a as a.p > 1)"
    assert "package_call" in rules_of(statement)
    assert "symbol" in rules_of(statement)
