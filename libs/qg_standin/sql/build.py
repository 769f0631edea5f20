"""Makes the nodes that rewriting puts in."""

from __future__ import annotations

from sqlglot import exp


def call(name: str, *arguments: exp.Expr | str) -> exp.Anonymous:
    """A call of an engine function or macro; text becomes a literal."""
    operands = [exp.Literal.string(a) if isinstance(a, str) else a for a in arguments]
    return exp.Anonymous(this=name, expressions=operands)


def engine_cast(value: exp.Expr, type_name: str) -> exp.Expr:
    return exp.Cast(this=value, to=exp.DataType.build(type_name, dialect="duckdb"))
