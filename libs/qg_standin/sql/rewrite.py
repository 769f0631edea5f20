"""Rewrites a parsed Oracle statement into what the engine understands.

Each rule takes one node and returns its replacement or None; children are rewritten before parents.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from qg_standin.catalog import declared_type, storage_type
from qg_standin.columns import NUMBER_FREE, Kind
from qg_standin.failures import unsupported
from qg_standin.sql.build import call, engine_cast
from qg_standin.sql.calls import CALLS
from qg_standin.sql.dates import nearest_day, truncated_date
from qg_standin.sql.kinds import Kinds

Rule = Callable[[exp.Expr, Kinds], exp.Expr | None]


def rewrite(tree: exp.Expr, kinds: Kinds) -> exp.Expr:
    """The whole tree for the engine; the given tree is consumed."""
    for node in reversed(list(tree.walk())):
        kinds.of(node)  # inferred before any child changes its shape
    for node in reversed(list(tree.walk())):
        rule = RULES.get(type(node))
        replacement = rule(node, kinds) if rule else None
        if replacement is None or replacement is node:
            continue
        kinds.adopt(replacement, node)
        if node is tree:
            tree = replacement
        else:
            node.replace(replacement)
    return tree


def _add(node: exp.Expr, kinds: Kinds) -> exp.Expr | None:
    left, right = node.this, node.args["expression"]
    left_kind, right_kind = kinds.of(left), kinds.of(right)
    if kinds.is_time(right) and not kinds.is_time(left):
        left, right, left_kind, right_kind = right, left, right_kind, left_kind
    if not kinds.is_time(left):
        return None
    if right_kind is not None and right_kind.kind is Kind.INTERVAL:
        return _as_date_if(left_kind is not None and left_kind.kind is Kind.DATE, node.copy())
    return engine_cast(call("ora_add_days", engine_cast(left.copy(), "timestamp"), right.copy()), "timestamp_s")


def _as_date_if(is_date: bool, value: exp.Expr) -> exp.Expr:
    return engine_cast(value, "timestamp_s") if is_date else value


def _subtract(node: exp.Expr, kinds: Kinds) -> exp.Expr | None:
    left, right = node.this, node.args["expression"]
    left_kind, right_kind = kinds.of(left), kinds.of(right)
    if not kinds.is_time(left):
        return None
    is_date = left_kind is not None and left_kind.kind is Kind.DATE
    if kinds.is_time(right):
        if is_date and right_kind is not None and right_kind.kind is Kind.DATE:
            return exp.Paren(this=call("ora_days_between", left.copy(), right.copy()))
        return exp.Sub(this=engine_cast(left.copy(), "timestamp"), expression=engine_cast(right.copy(), "timestamp"))
    if right_kind is not None and right_kind.kind is Kind.INTERVAL:
        return _as_date_if(is_date, node.copy())
    days = exp.Neg(this=exp.Paren(this=right.copy()))
    return engine_cast(call("ora_add_days", engine_cast(left.copy(), "timestamp"), days), "timestamp_s")


def _divide(node: exp.Expr, _kinds: Kinds) -> exp.Expr | None:
    divisor = node.args["expression"]
    if isinstance(divisor, exp.Literal) and divisor.name.strip("0."):
        return None
    return call("ora_div", node.this.copy(), divisor.copy())


def _concatenate(node: exp.Expr, _kinds: Kinds) -> exp.Expr | None:
    if isinstance(node.parent, exp.DPipe):
        return None  # the outermost takes the whole chain
    parts = [part.copy() for part in node.flatten()]
    return call("concat", *parts)


def _truncate_to(node: exp.Expr, _kinds: Kinds) -> exp.Expr:
    unit = node.args.get("unit")
    return truncated_date(node.this.copy(), unit.name if unit is not None else "DD")


def _timestamp_literal(node: exp.Expr, _kinds: Kinds) -> exp.Expr:
    return engine_cast(node.this.copy(), "timestamp")


def _date_literal(node: exp.Expr, _kinds: Kinds) -> exp.Expr:
    return engine_cast(node.this.copy(), "timestamp_s")


def _now(node: exp.Expr, _kinds: Kinds) -> exp.Expr:
    is_date = bool(node.args.get("sysdate")) or isinstance(node, exp.CurrentDate)
    return call("ora_sysdate") if is_date else call("now")


def _cast(node: exp.Expr, kinds: Kinds) -> exp.Expr | None:
    oracle = declared_type(node.args["to"])
    if oracle is None:
        return None
    value = node.this.copy()
    if oracle == NUMBER_FREE:
        source = kinds.of(node.this)
        if source is not None and source.kind is Kind.NUMBER:
            return exp.Paren(this=value)
        if isinstance(value, exp.Literal):
            places = len(value.name.partition(".")[2])
            return engine_cast(value, f"decimal(38,{min(places, 38)})")
    if oracle.kind in (Kind.VARCHAR, Kind.CHAR) and oracle.size:
        source = kinds.of(node.this)
        if source is not None and source.kind is Kind.NUMBER:
            value = call("ora_number_text", value)
        return call("left", engine_cast(value, "varchar"), exp.Literal.number(oracle.size))
    return engine_cast(value, storage_type(oracle))


def _literal(node: exp.Expr, _kinds: Kinds) -> exp.Expr | None:
    if node.args.get("is_string") and node.name == "" and not isinstance(node.parent, exp.GroupConcat):
        return exp.Null()
    return None


def _pad(node: exp.Expr, _kinds: Kinds) -> exp.Expr:
    fill = node.args.get("fill_pattern")
    name = "lpad" if node.args.get("is_left") else "rpad"
    length = engine_cast(node.args["expression"].copy(), "integer")
    return call(name, engine_cast(node.this.copy(), "varchar"), length, fill.copy() if fill else " ")


def _instr(node: exp.Expr, _kinds: Kinds) -> exp.Expr:
    start = node.args.get("position")
    if start is None:
        return call("instr", node.this.copy(), node.args["substr"].copy())
    return call("ora_instr", node.this.copy(), node.args["substr"].copy(), start.copy())


def _regexp_replace(node: exp.Expr, _kinds: Kinds) -> exp.Expr:
    replacement = node.args.get("replacement")
    text = replacement.copy() if replacement else exp.Literal.string("")
    return call("regexp_replace", node.this.copy(), node.args["expression"].copy(), text, "g")


def _months_between(node: exp.Expr, _kinds: Kinds) -> exp.Expr:
    first, second = node.this.copy(), node.args["expression"].copy()
    return call("ora_months_between", engine_cast(first, "timestamp"), engine_cast(second, "timestamp"))


def _add_months(node: exp.Expr, _kinds: Kinds) -> exp.Expr:
    return call("ora_add_months", node.this.copy(), node.args["expression"].copy())


def _next_day(node: exp.Expr, _kinds: Kinds) -> exp.Expr:
    return call("ora_next_day", node.this.copy(), call("ora_week_day", node.args["expression"].copy()))


def _window(node: exp.Expr, _kinds: Kinds) -> exp.Expr | None:
    inner = node.this
    if not (isinstance(inner, exp.Anonymous) and inner.name.upper() == "RATIO_TO_REPORT"):
        return None
    value = inner.expressions[0]
    over = node.copy()
    over.set("this", exp.Sum(this=value.copy()))
    return exp.Paren(this=exp.Div(this=engine_cast(value.copy(), "double"), expression=over))


def _anonymous(node: exp.Expr, kinds: Kinds) -> exp.Expr | None:
    rule = CALLS.get(node.name.upper())
    return rule(node.expressions, kinds) if rule is not None and node.expressions else None


def _replace(node: exp.Expr, _kinds: Kinds) -> exp.Expr:
    replacement = node.args.get("replacement")
    parts = [node.this.copy(), node.args["expression"].copy()]
    # NULL (the empty string) as replacement removes, and does not make the result NULL.
    return call("replace", *parts, call("coalesce", replacement.copy() if replacement else exp.Null(), ""))


def _simple(name: str) -> Rule:
    def rule(node: exp.Expr, _kinds: Kinds) -> exp.Expr:
        rest = [argument.copy() for argument in (node.this, node.args.get("expression")) if argument is not None]
        return call(name, *rest)

    return rule


def _nvl2(node: exp.Expr, _kinds: Kinds) -> exp.Expr:
    other = node.args.get("false")
    return call("ora_nvl2", node.this.copy(), node.args["true"].copy(), other.copy() if other else exp.Null())


def _column(node: exp.Expr, _kinds: Kinds) -> exp.Expr | None:
    if node.args.get("join_mark"):
        raise unsupported("the outer join mark (+); write LEFT JOIN")
    return None


def _dot(node: exp.Expr, _kinds: Kinds) -> exp.Expr | None:
    """The few package calls that reports use."""
    inner = node.args["expression"]
    package = node.this.name.upper()
    if package in ("UTL_RAW", "SYS"):
        known: exp.Expr = inner.copy()
        return known
    if package != "DBMS_LOB":
        return None
    name, operands = inner.name.upper(), [operand.copy() for operand in inner.expressions]
    if name == "GETLENGTH" and operands:
        return call("length", operands[0])
    if name == "SUBSTR" and operands:
        amount = operands[1] if len(operands) > 1 else exp.Literal.number(32_767)
        offset = operands[2] if len(operands) > 2 else exp.Literal.number(1)
        return call("substr", operands[0], offset, amount)
    return None


def _round(node: exp.Expr, kinds: Kinds) -> exp.Expr | None:
    return nearest_day(node.this.copy()) if kinds.is_time(node.this) else None


def _initcap(node: exp.Expr, _kinds: Kinds) -> exp.Expr:
    return call("ora_initcap", node.this.copy())


RULES: dict[type[exp.Expr], Rule] = {
    exp.Add: _add,
    exp.Sub: _subtract,
    exp.Div: _divide,
    exp.DPipe: _concatenate,
    exp.DateTrunc: _truncate_to,
    exp.TimestampTrunc: _truncate_to,
    exp.StrToTime: _timestamp_literal,
    exp.Replace: _replace,
    exp.DateStrToDate: _date_literal,
    exp.CurrentTimestamp: _now,
    exp.CurrentDate: _now,
    exp.Systimestamp: _now,
    exp.Cast: _cast,
    exp.Literal: _literal,
    exp.Pad: _pad,
    exp.StrPosition: _instr,
    exp.RegexpReplace: _regexp_replace,
    exp.MonthsBetween: _months_between,
    exp.AddMonths: _add_months,
    exp.NextDay: _next_day,
    exp.LastDay: _simple("ora_last_day"),
    exp.Initcap: _initcap,
    exp.Round: _round,
    exp.ToNumber: _simple("ora_to_number"),
    exp.Mod: _simple("ora_mod"),
    exp.Nvl2: _nvl2,
    exp.Window: _window,
    exp.Anonymous: _anonymous,
    exp.Column: _column,
    exp.Dot: _dot,
}
