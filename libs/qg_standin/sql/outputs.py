"""Names and types of result columns, as Oracle would describe them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import TokenError

from qg_standin.columns import NUMBER_FREE, Column, Kind, OracleType
from qg_standin.engine import EngineColumn
from qg_standin.sql.kinds import Kinds

_TEXT_SIZE = 4000
_BIGINT_DIGITS = 18
_DECIMAL = re.compile(r"^DECIMAL\((\d+),\s*(\d+)\)$")


@dataclass(slots=True)
class Output:
    """One item of the select list; a star has no name of its own."""

    name: str | None
    expression: exp.Expr
    type: OracleType | None = None

    def resolve(self, kinds: Kinds) -> None:
        if self.name is not None:
            self.type = kinds.of(self.expression)


def output_names(tree: exp.Expr, sql: str) -> list[Output]:
    """The select list of the statement's first branch, before anything is rewritten."""
    node: exp.Expr = tree
    while not isinstance(node, exp.Select):
        node = node.this
    texts = item_texts(sql)
    if len(texts) != len(node.expressions):
        texts = [re.sub(r"\s+", "", item.sql("oracle")).upper() for item in node.expressions]
    return [_output(item, text) for item, text in zip(node.expressions, texts, strict=True)]


def item_texts(sql: str) -> list[str]:
    """The items of the outermost select list as Oracle names columns after them: upper case, no blanks."""
    try:
        tokens = sqlglot.tokenize(sql, read="oracle")
    except TokenError:
        return []
    items: list[str] = []
    text = ""
    depth = select_depth = 0
    inside = False
    for token in tokens:
        word = sql[token.start : token.end + 1]
        depth += (word == "(") - (word == ")")
        if not inside:
            # A select in brackets is the outermost one only if nothing stands in front of it (no WITH).
            inside = word.upper() == "SELECT" and depth == select_depth
            select_depth += word == "(" and depth == select_depth + 1 and token is tokens[select_depth]
        elif depth == select_depth and word == ",":
            items.append(text)
            text = ""
        elif (depth == select_depth and word.upper() == "FROM") or depth < select_depth:
            break
        elif text or word.upper() not in ("DISTINCT", "ALL", "UNIQUE"):
            text += word if word.startswith('"') else word.upper()
    return [*items, text]


def _output(item: exp.Expr, text: str) -> Output:
    if item.is_star:
        return Output(None, item)
    if isinstance(item, exp.Alias):
        alias = item.args["alias"]
        quoted = isinstance(alias, exp.Identifier) and alias.quoted
        return Output(alias.name if quoted else alias.name.upper(), item.this)
    if isinstance(item, exp.Column):
        return Output(item.name if item.this.quoted else item.name.upper(), item)
    return Output(text[:128], item)


def column_of(
    index: int, count: int, entry: EngineColumn, outputs: Sequence[Output], kinds: Kinds, *, numbers_vary: bool
) -> Column:
    """The column at `index` of a result of `count` columns.

    numbers_vary: a bind's value decides what type computed numbers have, so only declared ones are trusted.
    """
    output = _output_at(index, count, outputs)
    if output is not None and output.name is not None:
        name, inferred = output.name, output.type
    else:
        name, inferred = kinds.spelled(entry.name), kinds.column(entry.name)
    described = _described(entry.type_text, inferred)
    trusted = described.kind is Kind.NUMBER and (described.precision > 0 or not numbers_vary)
    places = integer_places(entry.type_text) if trusted else None
    return Column(name, described, integer_places=places)


def _output_at(index: int, count: int, outputs: Sequence[Output]) -> Output | None:
    """The item of the select list behind a column: counted from the left before a star, from the right after."""
    stars = [position for position, output in enumerate(outputs) if output.name is None]
    if not stars or index < stars[0]:
        return outputs[index]
    from_right = index - count + len(outputs)
    return outputs[from_right] if from_right > stars[-1] else None


def integer_places(engine: str) -> int | None:
    """The even power of ten that makes the engine's number an integer of 64 bits; None: too wide."""
    if engine in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT"):
        return 0
    if found := _DECIMAL.match(engine):
        precision, scale = int(found[1]), int(found[2])
        places = scale + scale % 2
        return places if precision + places - scale <= _BIGINT_DIGITS else None
    return None


def _described(engine: str, inferred: OracleType | None) -> OracleType:
    """What the engine computes decides the family, the inference the details."""
    kind = inferred.kind if inferred is not None else None
    if engine == "VARCHAR":
        is_text = kind in (Kind.VARCHAR, Kind.CHAR, Kind.CLOB)
        return inferred if inferred is not None and is_text else OracleType(Kind.VARCHAR, size=_TEXT_SIZE)
    if engine in ("DOUBLE", "FLOAT"):
        is_binary = kind in (Kind.BINARY_DOUBLE, Kind.BINARY_FLOAT)
        return inferred if inferred is not None and is_binary else NUMBER_FREE
    if engine in ("TIMESTAMP_S", "DATE"):
        return OracleType(Kind.DATE)
    if engine.startswith("TIMESTAMP WITH TIME ZONE"):
        is_local = kind is Kind.TIMESTAMP_LTZ
        return OracleType(Kind.TIMESTAMP_LTZ if is_local else Kind.TIMESTAMP_TZ, 0, 6)
    if engine.startswith("TIMESTAMP"):
        is_time = kind in (Kind.DATE, Kind.TIMESTAMP)
        return inferred if inferred is not None and is_time else OracleType(Kind.TIMESTAMP, 0, 6)
    if engine == "BLOB":
        return inferred if inferred is not None and kind in (Kind.RAW, Kind.BLOB) else OracleType(Kind.RAW, size=2000)
    if engine == "INTERVAL":
        return OracleType(Kind.INTERVAL, 2, 6)
    if engine == "BOOLEAN":
        return OracleType(Kind.NUMBER, 1, 0)
    if engine.endswith("INT") or engine == "INTEGER" or _DECIMAL.match(engine):
        return inferred if inferred is not None and kind is Kind.NUMBER else NUMBER_FREE
    if inferred is not None and "NULL" in engine:
        return inferred
    return OracleType(Kind.VARCHAR, size=_TEXT_SIZE)
