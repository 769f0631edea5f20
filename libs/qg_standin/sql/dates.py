"""TRUNC and ROUND of dates."""

from __future__ import annotations

from sqlglot import exp

from qg_standin.failures import OracleError
from qg_standin.sql.build import call, engine_cast
from qg_standin.sql.formats import TRUNC_UNITS


def truncated_date(value: exp.Expr, model: str) -> exp.Expr:
    """TRUNC(value, model); OracleError for an unknown model."""
    model = model.upper()
    stamp = engine_cast(value, "timestamp")
    if model in ("DAY", "DY", "D"):
        sunday = call("to_days", engine_cast(call("dayofweek", stamp), "integer"))
        value = exp.Sub(this=call("date_trunc", "day", stamp.copy()), expression=sunday)
    elif model in TRUNC_UNITS:
        value = call("date_trunc", TRUNC_UNITS[model], stamp)
    else:
        raise OracleError(1821, "date format not recognized")
    return engine_cast(value, "timestamp_s")


def nearest_day(value: exp.Expr) -> exp.Expr:
    """ROUND(value)."""
    half_day = exp.Literal.number("0.5")
    return truncated_date(call("ora_add_days", engine_cast(value, "timestamp"), half_day), "DD")
