"""What must hold for any text: nothing but SqlRefused comes out, and no wrapping makes an attack legal."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qg_core.sql_policy import SqlRefused
from qg_core.sql_policy.lexemes import read
from qg_core.sql_policy.policy import check

_WORDS = r"""
    select from where with as ( ) ( ) , . . * + - / = < > || ' '' " q'[ ]' nq'{ }' -- /* */ /*+ :a :A :1 ? @ ; {
    } ${ $ $$ [ ] \ ` ~ ^ & % ! | case when then else end union all minus order by group having connect prior
    start match_recognize pattern measures define pivot unpivot for in lateral cross apply outer join on using
    table json_table columns nested path over partition within keep dense_rank first last interval date
    timestamp day to second cast number varchar2 (+) null not and or is like escape between exists any some
    distinct unique fetch next rows only offset row sample as of scn delete update insert into for dbms_random
    value nextval user rownum level sysdate a b "a" "B" 1 1.5 1e5 .5 'x' n'x' f( nvl( sum( t t.a listagg(
    extract( trim( decode( substr( overlay( position( xmltable( bulk collect limit top if values set
"""
_PIECES = st.sampled_from(_WORDS.split())
_TEXT = st.lists(st.one_of(_PIECES, _PIECES, _PIECES, st.text(max_size=3)), max_size=40)
_GAPS = st.sampled_from(["", " ", " ", "\n", "\t", "/**/", "/* x */", "--\n", "\r\n"])

ATTACKS = [
    "select dbms_random.value from dual",
    "select my_pkg.f from customers",
    'select "MY_PKG".f(1) from customers',
    "select my_function(id) from customers",
    "select order_seq.nextval from dual",
    "select id from customers@remote",
    "select 'a' || name from customers",
    "select name from table(f(1))",
    "select xmltype(name) from customers",
    "select /*+ parallel(4) */ id from customers",
    "select user from dual",
    "select id from customers where id = :1",
    "select id from customers where id = ?",
    "select ${x} from customers",
    "select f'x' from customers",
    "select c.x.f() from customers c",
    "select cast(x as app.t) from customers",
]
WRAPS = [
    "select * from ({}) w",
    "select w.* from (select 1 as one from dual) v, ({}) w",
    "with w as ({}) select * from w",
    "with v as (select 1 as one from dual), w as ({}) select * from v, w",
    "select 1 from dual where exists ({})",
    "select 1 from dual where 1 in ({})",
    "select ({}) as one from dual",
    "select case when 1 = ({}) then 1 end as one from dual",
    "{} union all select 1 from dual",
    "select 1 from dual union ({})",
    "select 1 from dual minus {}",
    "({})",
    "select * from customers c, lateral ({}) w",
    "select * from customers c cross apply ({}) w",
    "select * from customers c join ({}) w on w.id = c.id",
    "select nvl(({}), 1) from dual",
    "select sum(({})) over (order by 1) from dual",
    "select 1 from dual order by ({})",
    "select * from ({}) pivot (count(*) for kind in ('a' as a))",
    "select * from (with w as ({}) select * from w) v",
    "-- comment\n{}",
    "/* {{ */ {} -- }}",
]


_LEGAL = (Path(__file__).parent / "corpus" / "legal.txt").read_bytes().decode()
_STATEMENTS = [entry.partition("\n")[2].strip() for entry in re.split(r"^%% ", _LEGAL, flags=re.MULTILINE)[1:]]
# A group in a PATTERN looks like a call and is none, so statements with one stay out.
_SPLICED = [statement for statement in _STATEMENTS if "match_recognize" not in statement]


@given(st.sampled_from(_SPLICED), st.sampled_from(["nvl(evil(1), 1)", "evil_pkg.f + 1", "evil_seq.nextval"]), st.data())
@settings(max_examples=80)
def test_a_call_spliced_into_a_legal_statement_is_found(statement: str, evil: str, data: st.DataObject) -> None:
    code = read(statement).code
    index = data.draw(st.integers(0, len(code) - 1))
    at = code[index]
    if index and code[index - 1].is_symbol("."):
        return  # `c.evil_pkg.f` is an attribute of a column of c
    with pytest.raises(SqlRefused):
        check(f"{statement[: at.start]} {evil} {statement[at.end :]}")
    with pytest.raises(SqlRefused):
        check(f"{statement[: at.start]} {evil} {statement[at.start :]}")


@given(st.lists(st.tuples(_PIECES, _GAPS), max_size=40))
@settings(max_examples=120)
def test_nothing_but_a_refusal_comes_out_of_pieces(pieces: list[tuple[str, str]]) -> None:
    with contextlib.suppress(SqlRefused):
        check("select " + "".join(piece + gap for piece, gap in pieces))


@given(st.one_of(st.text(max_size=200), _TEXT.map(" ".join)))
@settings(max_examples=120)
def test_nothing_but_a_refusal_comes_out_of_text(text: str) -> None:
    with contextlib.suppress(SqlRefused):
        check(text)


@pytest.mark.parametrize("attack", ATTACKS)
def test_wrapping_does_not_help(attack: str) -> None:
    with pytest.raises(SqlRefused) as plain:
        check(attack)
    rules = {problem.rule for problem in plain.value.problems}
    for wrap in WRAPS:
        with pytest.raises(SqlRefused) as wrapped:
            check(wrap.format(attack))
        # At its place the wrapped attack breaks the same rule, or the wrap itself isn't readable.
        assert rules & {problem.rule for problem in wrapped.value.problems} or "syntax" in {
            problem.rule for problem in wrapped.value.problems
        }, wrap


@given(st.sampled_from(ATTACKS), st.data())
@settings(max_examples=80)
def test_white_space_comments_and_case_do_not_help(attack: str, data: st.DataObject) -> None:
    pieces = attack.split(" ")
    gaps = st.sampled_from([" ", "\n", "\t", " /**/ ", "/* ' */ ", " --'\n", "\r\n"])
    varied = pieces[0]
    for piece in pieces[1:]:
        varied += data.draw(gaps) + piece
    if "parallel" not in attack and data.draw(st.booleans()):
        varied = varied.upper() if '"' not in varied else varied
    with pytest.raises(SqlRefused):
        check(varied)
