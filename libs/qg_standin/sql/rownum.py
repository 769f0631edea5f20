"""ROWNUM and CONNECT BY LEVEL, the two row generators of everyday Oracle SQL."""

from __future__ import annotations

from sqlglot import exp

from qg_standin.failures import unsupported

_MIRRORED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
    exp.EQ: exp.EQ,
}


def _is(node: exp.Expr | None, name: str) -> bool:
    return isinstance(node, exp.Column) and not node.table and node.name.upper() == name


def replace_rownum(tree: exp.Expr) -> None:
    """`where rownum <= n` becomes a limit; elsewhere ROWNUM becomes a row number."""
    for select in list(tree.find_all(exp.Select)):
        if select.args.get("connect") is None:
            _limit_from_where(select)
    for column in list(tree.find_all(exp.Column)):
        if _is(column, "ROWNUM") and column.find_ancestor(exp.Connect) is None:
            number = exp.Window(this=exp.RowNumber())
            parent = column.parent
            in_select_list = isinstance(parent, exp.Select) and column.arg_key == "expressions"
            column.replace(exp.alias_(number, "ROWNUM") if in_select_list else number)


def _limit_from_where(select: exp.Select) -> None:
    where = select.args.get("where")
    if where is None:
        return
    condition = where.this.unnest()
    conjuncts = list(condition.flatten()) if isinstance(condition, exp.And) else [condition]
    kept, limit = [], None
    for conjunct in conjuncts:
        found = _row_limit(conjunct)
        if found is None:
            kept.append(conjunct)
        else:
            limit = found
    if limit is None:
        return
    select.set("where", exp.Where(this=exp.and_(*kept, copy=False)) if kept else None)
    reshapes = any(select.args.get(key) for key in ("order", "group", "distinct")) or select.find(exp.AggFunc)
    if reshapes:
        _limit_source(select, limit)
    else:
        select.set("limit", exp.Limit(expression=limit))


def _limit_source(select: exp.Select, limit: exp.Expr) -> None:
    """Oracle numbers rows before it sorts or groups them."""
    if select.args.get("joins"):
        raise unsupported("ROWNUM beside a join that is sorted or grouped; wrap the join into a subquery")
    source = select.args["from_"].this
    inner = exp.select("*").from_(source.copy())
    if where := select.args.get("where"):
        inner.set("where", where.copy())
        select.set("where", None)
    inner.set("limit", exp.Limit(expression=limit))
    source.replace(exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier(source.alias_or_name))))


def _row_limit(node: exp.Expr) -> exp.Expr | None:
    node = node.unnest()
    left, right, kind = node.this, node.args.get("expression"), type(node)
    if _is(right, "ROWNUM"):
        left, right, kind = right, left, _MIRRORED.get(kind, kind)
    if not _is(left, "ROWNUM") or right is None:
        return None
    bound: exp.Expr = right.copy()
    if kind is exp.LTE:
        return bound
    if kind is exp.LT:
        ceiling = exp.Anonymous(this="ceil", expressions=[bound])
        less = exp.Sub(this=ceiling, expression=exp.Literal.number(1))
        return exp.Cast(this=less, to=exp.DataType.build("bigint"))
    if kind is exp.EQ and isinstance(right, exp.Literal) and right.name == "1":
        return bound
    return exp.Literal.number(0)  # ROWNUM > 1 is never true


def replace_connect_by(tree: exp.Expr) -> None:
    """`select level ... from dual connect by level <= n` becomes a range."""
    for select in list(tree.find_all(exp.Select)):
        connect = select.args.get("connect")
        if connect is None:
            continue
        count = _level_limit(connect)
        source = select.args["from_"].this if select.args.get("from_") else None
        if count is None or source is None or source.name.upper() != "DUAL":
            raise unsupported("CONNECT BY beyond a row generator over DUAL")
        upper = exp.Add(this=exp.Cast(this=count, to=exp.DataType.build("bigint")), expression=exp.Literal.number(1))
        series = exp.Anonymous(this="range", expressions=[exp.Literal.number(1), upper])
        alias = exp.TableAlias(this=exp.to_identifier("qg_levels"), columns=[exp.to_identifier("LEVEL")])
        source.replace(exp.Table(this=series, alias=alias))
        select.set("connect", None)
        for column in list(select.find_all(exp.Column)):
            if _is(column, "ROWNUM"):
                column.replace(exp.column("LEVEL"))


def _level_limit(connect: exp.Expr) -> exp.Expr | None:
    condition = connect.args.get("connect")
    if connect.args.get("start") is not None or condition is None:
        return None
    if _is(condition.this, "LEVEL") or _is(condition.this, "ROWNUM"):
        limit: exp.Expr = condition.args["expression"].copy()
        if isinstance(condition, exp.LTE):
            return limit
        if isinstance(condition, exp.LT):
            return exp.Sub(this=limit, expression=exp.Literal.number(1))
    return None
