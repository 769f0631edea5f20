"""Infers the Oracle type of expressions, as far as rewriting and DESCRIBE need it.

The inference goes by names: a column is looked up in the tables of the statement, then among the aliases
of its subqueries. Where it does not know, it says None and the engine's own type decides.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from qg_standin.catalog import Catalog, Columns, declared_type
from qg_standin.columns import NUMBER_FREE, Kind, OracleType

TEXT = OracleType(Kind.VARCHAR, size=4000)
DATE = OracleType(Kind.DATE)
TIMESTAMP = OracleType(Kind.TIMESTAMP, 0, 6)
TIMESTAMP_TZ = OracleType(Kind.TIMESTAMP_TZ, 0, 6)
INTERVAL = OracleType(Kind.INTERVAL, 2, 6)
CLOB = OracleType(Kind.CLOB)
RAW = OracleType(Kind.RAW, size=2000)
TIMES = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMP_TZ, Kind.TIMESTAMP_LTZ})
_NAME_PARTS_MAX = 64

_FIXED: dict[type[exp.Expr], OracleType] = {
    exp.CurrentDate: DATE,
    exp.LastDay: DATE,
    exp.NextDay: DATE,
    exp.AddMonths: DATE,
    exp.DateTrunc: DATE,
    exp.TimestampTrunc: DATE,
    exp.DateStrToDate: DATE,
    exp.StrToTime: TIMESTAMP,
    exp.Systimestamp: TIMESTAMP_TZ,
    exp.Interval: INTERVAL,
    exp.Extract: NUMBER_FREE,
    exp.Count: NUMBER_FREE,
    exp.MonthsBetween: NUMBER_FREE,
    exp.ToNumber: NUMBER_FREE,
    exp.StrPosition: NUMBER_FREE,
    exp.Length: NUMBER_FREE,
    exp.Mul: NUMBER_FREE,
    exp.Div: NUMBER_FREE,
    exp.Mod: NUMBER_FREE,
    exp.RowNumber: NUMBER_FREE,
    exp.DPipe: TEXT,
    exp.Concat: TEXT,
    exp.Substring: TEXT,
    exp.Upper: TEXT,
    exp.Lower: TEXT,
    exp.Trim: TEXT,
    exp.Replace: TEXT,
    exp.GroupConcat: TEXT,
}
_NAMED = {
    "QG_TO_CHAR": TEXT,
    "QG_TO_DATE": DATE,
    "QG_TO_TIMESTAMP": TIMESTAMP,
    "SYSDATE": DATE,
    "TO_CLOB": CLOB,
    "EMPTY_CLOB": CLOB,
    "TO_BLOB": OracleType(Kind.BLOB),
    "HEXTORAW": RAW,
    "SYS_GUID": OracleType(Kind.RAW, size=16),
    "UTL_RAW.CAST_TO_RAW": RAW,
    "NUMTODSINTERVAL": INTERVAL,
    "TO_DSINTERVAL": INTERVAL,
    "NUMTOYMINTERVAL": INTERVAL,
    "TO_TIMESTAMP_TZ": TIMESTAMP_TZ,
    "FROM_TZ": TIMESTAMP_TZ,
    "TO_BINARY_DOUBLE": OracleType(Kind.BINARY_DOUBLE),
    "TO_BINARY_FLOAT": OracleType(Kind.BINARY_FLOAT),
    "QG_SLEEP": NUMBER_FREE,
    "RAWTOHEX": TEXT,
}
_SAME_AS_AN_ARGUMENT = (
    exp.Max, exp.Min, exp.Coalesce, exp.Case, exp.If, exp.Nvl2, exp.DecodeCase, exp.Greatest, exp.Least,
    exp.FirstValue, exp.LastValue, exp.NthValue, exp.Lag, exp.Lead, exp.Paren, exp.Window, exp.Filter,
    exp.Nullif, exp.AnyValue, exp.Alias, exp.Neg, exp.IgnoreNulls, exp.RespectNulls, exp.WithinGroup,
    exp.Round, exp.Trunc, exp.Sum, exp.Abs,
)  # fmt: skip


class Kinds:
    """The types of one statement's expressions."""

    def __init__(self, tree: exp.Expr, catalog: Catalog, binds: Mapping[str, OracleType | None]) -> None:
        self._binds = binds
        # Keeps the nodes too: an id is only unique while its object lives.
        self._known: dict[int, tuple[exp.Expr, OracleType | None]] = {}
        self._by_alias: dict[str, Columns] = {}
        self._columns: Columns = {}
        self._derived: dict[str, list[exp.Expr]] = {}
        for table in tree.find_all(exp.Table):
            if declared := catalog.columns(table.name):
                self._by_alias[(table.alias_or_name).upper()] = declared
                for name, oracle in declared.items():
                    self._columns.setdefault(name, oracle)
        for alias in tree.find_all(exp.Alias):
            self._derived.setdefault(alias.alias.upper(), []).append(alias.this)

        self._quoted = {node.name for node in tree.find_all(exp.Identifier) if node.quoted}

    def declare(self, columns: Columns) -> None:
        """Columns that stand in no table, such as those of V$SESSION."""
        self._columns.update(columns)

    def spelled(self, name: str) -> str:
        """A column's name as Oracle would spell it: upper case unless quoted in the statement."""
        return name if name in self._quoted else name.upper()

    def column(self, name: str, qualifier: str = "") -> OracleType | None:
        """The type of a name, in the named table or anywhere in the statement."""
        name = name.upper()
        if found := self._by_alias.get(qualifier.upper(), {}).get(name):
            return found
        if not qualifier or qualifier.upper() not in self._by_alias:
            for source in self._derived.get(name, ())[:_NAME_PARTS_MAX]:
                if (oracle := self.of(source)) is not None:
                    return oracle
        return self._columns.get(name)

    def of(self, node: exp.Expr | None) -> OracleType | None:
        if not isinstance(node, exp.Expr):
            return None
        known = self._known.get(id(node))
        if known is None:
            self._known[id(node)] = (node, None)  # an alias may name itself
            known = self._known[id(node)] = (node, self._infer(node))
        return known[1]

    def adopt(self, replacement: exp.Expr, node: exp.Expr) -> None:
        """A rewritten node has the type of the one it replaces."""
        self._known[id(replacement)] = (replacement, self.of(node))

    def is_time(self, node: exp.Expr | None) -> bool:
        oracle = self.of(node)
        return oracle is not None and oracle.kind in TIMES

    def _infer(self, node: exp.Expr) -> OracleType | None:
        if isinstance(node, exp.Column):
            if not node.table and node.name.upper() in ("ROWNUM", "LEVEL"):
                return NUMBER_FREE
            return self.column(node.name, node.table)
        if isinstance(node, exp.Literal):
            return OracleType(Kind.VARCHAR, size=max(len(node.name), 1)) if node.is_string else NUMBER_FREE
        if isinstance(node, exp.Placeholder):
            bind = self._binds.get(node.name)
            return NUMBER_FREE if bind is not None and bind.kind is Kind.NUMBER else bind
        if isinstance(node, exp.CurrentTimestamp):
            return DATE if node.args.get("sysdate") else TIMESTAMP_TZ
        if isinstance(node, exp.Cast):
            return declared_type(node.to)
        if isinstance(node, (exp.Add, exp.Sub)):
            return self._arithmetic(node)
        if isinstance(node, _SAME_AS_AN_ARGUMENT):
            return self._first_argument(node)
        if isinstance(node, exp.Anonymous):
            return self._call(node)
        if isinstance(node, exp.Subquery | exp.Select):
            select = node.find(exp.Select)
            return self.of(select.expressions[0]) if select is not None and select.expressions else None
        return _FIXED.get(type(node))

    def _call(self, node: exp.Anonymous) -> OracleType | None:
        name = node.name.upper()
        if name in ("TRUNC", "ROUND"):
            return DATE if self.is_time(node.expressions[0]) else NUMBER_FREE
        return _NAMED.get(name)

    def _arithmetic(self, node: exp.Add | exp.Sub) -> OracleType | None:
        left, right = self.of(node.this), self.of(node.expression)
        left_time = left is not None and left.kind in TIMES
        right_time = right is not None and right.kind in TIMES
        if left_time and right_time:
            both_dates = left is not None and right is not None and left.kind is right.kind is Kind.DATE
            return NUMBER_FREE if both_dates else INTERVAL
        if left_time:
            is_interval = right is not None and right.kind is Kind.INTERVAL
            return left if is_interval or left == DATE else DATE
        if right_time:
            return right
        return INTERVAL if INTERVAL in (left, right) else NUMBER_FREE

    def _first_argument(self, node: exp.Expr) -> OracleType | None:
        for candidate in _arguments(node):
            if isinstance(candidate, exp.Null):
                continue
            if (oracle := self.of(candidate)) is not None:
                return _widened(oracle)
        return None


def _widened(oracle: OracleType) -> OracleType:
    """A literal's own length or a column's precision says little about the whole expression."""
    if oracle.kind in (Kind.VARCHAR, Kind.CHAR):
        return OracleType(Kind.VARCHAR, size=max(oracle.size, 4000))
    return NUMBER_FREE if oracle.kind is Kind.NUMBER else oracle


def _arguments(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.Case):
        results = [branch.args.get("true") for branch in node.args.get("ifs", ())]
        return [result for result in (*results, node.args.get("default")) if result is not None]
    if isinstance(node, exp.Nvl2):
        return [value for value in (node.args.get("true"), node.args.get("false")) if value is not None]
    if isinstance(node, exp.DecodeCase):
        rest = node.expressions[1:]
        return rest[1::2] + (rest[-1:] if len(rest) % 2 else [])
    this = node.this
    return [this, *node.expressions] if isinstance(this, exp.Expr) else list(node.expressions)
