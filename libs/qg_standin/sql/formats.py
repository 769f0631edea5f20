"""Oracle format models (`YYYY-MM-DD HH24:MI`, `FM999G990D00`) as SQL of the engine."""

from __future__ import annotations

import re

from sqlglot import exp

from qg_standin.failures import unsupported
from qg_standin.sql.build import call

# Longest first: the first alternative that fits wins. None: handled in `_piece`.
_DATE_PARTS: tuple[tuple[str, str], ...] = (
    ("SYYYY", "%Y"), ("YYYY", "%Y"), ("RRRR", "%Y"), ("IYYY", "%G"), ("YY", "%y"), ("RR", "%y"),
    ("MONTH", "%B"), ("MON", "%b"), ("MM", "%m"), ("MI", "%M"), ("DDD", "%j"), ("DD", "%d"),
    ("DAY", "%A"), ("DY", "%a"), ("HH24", "%H"), ("HH12", "%I"), ("HH", "%I"), ("SSSSS", ""), ("SS", "%S"),
    ("FF3", "%g"), ("FF6", "%f"), ("FF9", "%n"), ("FF", "%f"), ("AM", "%p"), ("PM", "%p"), ("IW", "%V"),
    ("TZH:TZM", "+00:00"), ("TZR", "UTC"), ("Q", ""), ("D", ""), ("FM", ""), ("FX", ""),
)  # fmt: skip
_PARTS = dict(_DATE_PARTS)
_TOKEN = re.compile("|".join(re.escape(part) for part, _ in _DATE_PARTS) + r'|"[^"]*"|.', re.IGNORECASE | re.DOTALL)
_NUMBER_MODEL = re.compile(r"^(FM)?(\$|L)?([09GD,.]+)(MI|PR)?$", re.IGNORECASE)
TRUNC_UNITS = {
    **dict.fromkeys(("DD", "DDD", "J"), "day"),
    **dict.fromkeys(("MM", "MONTH", "MON", "RM"), "month"),
    **dict.fromkeys(("YYYY", "YY", "YEAR", "Y", "SYYYY", "SYEAR", "YYY"), "year"),
    **dict.fromkeys(("IW", "WEEK"), "week"),
    **dict.fromkeys(("HH", "HH24", "HH12", "HOUR"), "hour"),
    **dict.fromkeys(("MI", "MINUTE"), "minute"),
    **dict.fromkeys(("Q", "QUARTER"), "quarter"),
}


def is_number_model(model: str) -> bool:
    return _NUMBER_MODEL.match(model) is not None


def _piece(part: str, value: exp.Expr, *, fill: bool) -> exp.Expr:
    """One element of a date model that needs more than strftime."""
    upper = part.upper()
    if upper == "Q":
        return exp.cast(call("quarter", value), "varchar")
    if upper == "D":
        return exp.cast(exp.Add(this=call("dayofweek", value), expression=exp.Literal.number(1)), "varchar")
    if upper == "SSSSS":
        return exp.cast(call("ora_second_of_day", value), "varchar")
    named: exp.Expr = call("strftime", value, _PARTS[upper])
    if upper in ("MONTH", "DAY") and fill:
        named = call("rpad", named, exp.Literal.number(9), " ")
    if part.isupper():
        return call("upper", named)
    return call("lower", named) if part.islower() else named


def date_to_text(value: exp.Expr, model: str) -> exp.Expr:
    """TO_CHAR(date, model)."""
    pieces: list[exp.Expr] = []
    plain = ""
    fill = True
    for token in _TOKEN.findall(model):
        upper = token.upper()
        if upper == "FM":
            fill = not fill
        elif upper == "FX":
            continue
        elif upper in ("Q", "D", "SSSSS", "MONTH", "MON", "DAY", "DY"):
            if plain:
                pieces.append(call("strftime", value.copy(), plain))
                plain = ""
            pieces.append(_piece(token, value.copy(), fill=fill))
        else:
            plain += _PARTS.get(upper) or token.strip('"').replace("%", "%%")
    if plain or not pieces:
        pieces.append(call("strftime", value.copy(), plain))
    return pieces[0] if len(pieces) == 1 else call("concat", *pieces)


def parse_model(model: str) -> str:
    """The strptime format of a TO_DATE or TO_TIMESTAMP model."""
    parts = []
    for token in _TOKEN.findall(model):
        upper = token.upper()
        if upper in ("Q", "D", "SSSSS"):
            raise unsupported(f"the element {upper} in a model that reads dates")
        parts.append(token.strip('"') if upper not in _PARTS else _PARTS[upper])
    return "".join(parts)


def number_to_text(value: exp.Expr, model: str) -> exp.Expr:
    """TO_CHAR(number, model) for digits, group, decimal and currency marks."""
    found = _NUMBER_MODEL.match(model)
    if found is None:
        raise unsupported(f"the number model {model}")
    digits = found[3].upper().replace(",", "G").replace(".", "D")
    whole, _, fraction = digits.partition("D")
    grouped = "," if "G" in whole else ""
    places = len(fraction)
    rounded = exp.cast(call("round", exp.cast(value, "double"), exp.Literal.number(places)), "double")
    text: exp.Expr = call("format", "{:" + grouped + f".{places}f" + "}", rounded)
    zeros = len(whole) - whole.find("0") if "0" in whole else 0
    if zeros > 1 and not grouped:
        text = call("ora_zero_pad", text, exp.Literal.number(zeros + (places + 1 if places else 0)))
    elif not zeros and places:
        text = call("regexp_replace", text, r"^(-?)0\.", r"\1.")
    if found[2]:
        text = call("concat", "$", text)
    if found[1]:
        return text
    width = len(digits) + 1 + (1 if found[2] else 0)
    return call("lpad", text, exp.Literal.number(width), " ")
