"""Functions that the parser leaves as they are, by name: conversions, TRUNC and ROUND of dates."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from qg_standin.columns import Kind
from qg_standin.failures import unsupported
from qg_standin.sql.build import call, engine_cast
from qg_standin.sql.dates import nearest_day, truncated_date
from qg_standin.sql.formats import date_to_text, is_number_model, number_to_text, parse_model
from qg_standin.sql.kinds import Kinds

_DEFAULT_DATE_MODEL = "DD-MON-RR"
CallRule = Callable[[list[exp.Expr], Kinds], exp.Expr | None]


def _model(operands: list[exp.Expr], function: str) -> str | None:
    """The format model, None without one; only literals are known before the statement runs."""
    if len(operands) < 2:
        return None
    if not isinstance(operands[1], exp.Literal):
        raise unsupported(f"{function} with a model that is no literal")
    return operands[1].name


def _to_char(operands: list[exp.Expr], kinds: Kinds) -> exp.Expr:
    value, model = operands[0], _model(operands, "TO_CHAR")
    if model is not None:
        if is_number_model(model) and not kinds.is_time(value):
            return number_to_text(value.copy(), model)
        return date_to_text(value.copy(), model)
    if kinds.is_time(value):
        return date_to_text(value.copy(), _DEFAULT_DATE_MODEL)
    oracle = kinds.of(value)
    if oracle is not None and oracle.kind is Kind.NUMBER:
        return call("ora_number_text", value.copy())
    return engine_cast(value.copy(), "varchar")


def _to_date(operands: list[exp.Expr], kinds: Kinds) -> exp.Expr:
    model = _model(operands, "TO_DATE")
    if model is None or kinds.is_time(operands[0]):
        return engine_cast(operands[0].copy(), "timestamp_s")
    return call("ora_to_date", operands[0].copy(), parse_model(model))


def _to_timestamp(operands: list[exp.Expr], _kinds: Kinds) -> exp.Expr:
    model = _model(operands, "TO_TIMESTAMP")
    if model is None:
        return engine_cast(operands[0].copy(), "timestamp")
    return call("ora_to_timestamp", operands[0].copy(), parse_model(model))


def _trunc(operands: list[exp.Expr], kinds: Kinds) -> exp.Expr | None:
    if not kinds.is_time(operands[0]):
        return None
    return truncated_date(operands[0].copy(), _model(operands, "TRUNC") or "DD")


def _round(operands: list[exp.Expr], kinds: Kinds) -> exp.Expr | None:
    return nearest_day(operands[0].copy()) if kinds.is_time(operands[0]) else None


CALLS: dict[str, CallRule] = {
    "QG_TO_CHAR": _to_char,
    "QG_TO_DATE": _to_date,
    "QG_TO_TIMESTAMP": _to_timestamp,
    "TRUNC": _trunc,
    "ROUND": _round,
    "CAST_TO_RAW": lambda operands, _: call("encode", operands[0].copy()),
}
