"""The second layer: a walk over all nodes of the tree, with a closed list of the kinds of node that a query has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlglot import exp

from .code_rules import concatenation
from .findings import PROBLEMS_MAX, Finding
from .lexemes import Lexeme
from .listed import listed

# Whatever is a function for the parser is judged by its spelling (`calls`), because the parser forgets that.
# Every other kind of node has to be on this list.
_ALLOWED_NODES: frozenset[str] = listed(
    """
    Add Alias All And Any Between Bracket CTE Column ConnectByRoot Connect Cube DPipe DataType
    DataTypeParam Distinct Div Dot EQ Escape Except Exists Fetch Filter FormatJson From GT GTE Group
    GroupingSets Having HavingMax Hint IgnoreNulls In Identifier Intersect Interval IntervalSpan Is
    JSONColumnDef JSONKeyValue JSONSchema Join JoinHint LT LTE Lateral Like Limit LimitOptions Literal
    MatchRecognize MatchRecognizeMeasure Mul NEQ National Neg Not Null Offset OnCondition Or
    Order Ordered OverflowTruncateBehavior Paren Partition PartitionRange Pivot PivotAlias PivotAny
    Placeholder Prior Pseudocolumn RawString RecursiveWithSearch RespectNulls Rollup Select Star Sub
    Subquery Table TableAlias TableSample Tuple Union UnpivotColumns Var Version Where Window WindowSpec
    With WithinGroup Kwarg Boolean Collate AtTimeZone JSON JSONValue Mod JSONPath JSONPathRoot JSONPathKey
    JSONPathSubscript JSONPathWildcard JSONPathFilter JSONPathRecursive JSONPathScript JSONPathSelector JSONPathSlice
    JSONPathUnion
    """
)
# Functions that the parser makes of words or symbols, without a place of their own; all others have one.
_UNPLACED_FUNCTIONS = listed(
    """
    And Case Cast Ceil Chr Collate ConnectByRoot CurrentDate CurrentTimestamp DateStrToDate Decode DecodeCase Exists
    Extract Floor GroupConcat If Initcap JSONArray JSONArrayAgg JSONExists JSONObject JSONObjectAgg JSONTable
    Localtimestamp Or Rand StrToTime Systimestamp ToNumber Trim
    """
)
# Where a bare name is that of a table, an alias or a part of a name that is judged as a whole. Anywhere else the parser
# takes it for mere text (FETCH FIRST my_func ROWS ONLY), and Oracle calls it.
_NAME_PLACES = listed(
    """
    Alias.alias Anonymous.this Column.catalog Column.db Column.table Column.this Dot.expression Dot.this In.this
    JSONColumnDef.this Join.using Pivot.columns Pivot.expressions PivotAlias.alias RecursiveWithSearch.expression
    RecursiveWithSearch.this Table.catalog Table.db Table.this TableAlias.columns TableAlias.this Tuple.expressions
    Window.alias Window.this
    """
)
_RULE_OF_NODE = {
    "Lock": "for_update",
    "Into": "select_into",
    "NextValueFor": "sequence",
    "Parameter": "database_link",
    "SessionParameter": "database_link",
    "XMLTable": "forbidden_function",
}
_TYPES = listed(
    """
    BIGDECIMAL BIGINT BINARY BLOB BOOLEAN CHAR DATE DECIMAL DOUBLE FLOAT INT INTERVAL JSON NCHAR NVARCHAR
    ROWID SMALLINT TEXT TIMESTAMP TIMESTAMPLTZ TIMESTAMPNTZ TIMESTAMPTZ UDECIMAL UNKNOWN VARBINARY VARCHAR
    """
)
_UNPARSED = frozenset({"NCLOB", "RAW", "ROWID", "UROWID"})  # user-defined types for the parser
_STRINGS = (exp.RawString, exp.National)


class Tree(NamedTuple):
    """What the walk found: problems, where the parse sees names (and no syntax), and the binds (lower case)."""

    findings: list[Finding]
    name_starts: frozenset[int]
    binds: set[str]


def check_nodes(root: exp.Expr, code: Sequence[Lexeme]) -> Tree:
    """Walk `root` once. Iterative: long chains of AND make deep trees."""
    findings: list[Finding] = []
    starts: set[int] = set()
    binds: set[str] = set()
    if not isinstance(root, (exp.Select, exp.SetOperation, exp.Subquery)):
        findings.append(Finding(code[0].start, "root", "A statement begins with SELECT or WITH."))
    for node in root.walk(prune=is_hint):
        if isinstance(node, (exp.Func, exp.Identifier)):
            start = node.meta.get("start")
            if isinstance(start, int):
                starts.add(start)
        if isinstance(node, exp.Placeholder):
            binds.add(node.name.lower())
        if len(findings) < PROBLEMS_MAX:  # finding the place of each is a walk of its own
            findings.extend(_check_node(node))
    return Tree(findings, frozenset(starts), binds)


def _is_built_in_type(node: exp.DataType) -> bool:
    if isinstance(node, exp.IntervalSpan) or isinstance(node.this, exp.Expr):
        return isinstance(node, exp.IntervalSpan) or isinstance(node.this, exp.Interval)
    return node.this.name in _TYPES or (
        node.this.name == "USERDEFINED" and str(node.args.get("kind")).upper() in _UNPARSED
    )


def is_hint(node: exp.Expr) -> bool:
    """Hints are comments with places of their own: nothing in them is code of the statement."""
    return isinstance(node, exp.Hint)


def _check_node(node: exp.Expr) -> Iterator[Finding]:
    kind = type(node).__name__
    if kind in _RULE_OF_NODE or not _is_known(node, kind):
        rule = _RULE_OF_NODE.get(kind, "dml" if isinstance(node, (exp.DML, exp.DDL)) else "node")
        yield Finding(offset_of(node), rule, f"This part of the statement ({kind}) is not allowed in a query.")
    elif isinstance(node, exp.Identifier):
        if f"{type(node.parent).__name__}.{node.arg_key}" not in _NAME_PLACES:
            message = f"{node.name} is no column here, so it would be called as a function."
            yield Finding(offset_of(node), "function", message)
    elif isinstance(node, exp.Select) and not node.expressions:
        yield Finding(offset_of(node), "syntax", "A SELECT without columns.")
    elif isinstance(node, (exp.DPipe, exp.Add)):
        for literal in _glued_literals(node):
            yield concatenation(offset_of(literal))
    elif isinstance(node, exp.Dot):
        # `schema.package.function(...)` is nested dots, innermost a plain identifier; `calls` judges the whole name.
        leads_to_call = isinstance(node.expression, exp.Func) or isinstance(node.parent, exp.Dot)
        bases = (exp.Column, exp.Dot, exp.Identifier) if leads_to_call else (exp.Column, exp.Dot)
        if not isinstance(node.expression, (exp.Identifier, exp.Star, exp.Func)) or not isinstance(node.this, bases):
            yield Finding(offset_of(node), "method_call", "Methods and attributes of a result are not allowed.")
    elif isinstance(node, exp.DataType):
        if not _is_built_in_type(node):
            yield Finding(offset_of(node), "type", "Only Oracle's built-in scalar types can be cast to.")
    elif isinstance(node, exp.Table) and not isinstance(node.this, (exp.Identifier, exp.JSONTable)):
        yield Finding(offset_of(node), "table_function", "FROM takes tables, views and subqueries, not functions.")


def _is_known(node: exp.Expr, kind: str) -> bool:
    if isinstance(node, exp.Func):
        return "start" in node.meta or kind in _UNPLACED_FUNCTIONS
    return kind in _ALLOWED_NODES


def _glued_literals(node: exp.Binary) -> Iterator[exp.Expr]:
    """String literals that are an operand, also in parentheses, under COLLATE or as a result of CASE."""
    pending = [node.this, node.expression]
    while pending:
        operand = pending.pop()
        if isinstance(operand, _STRINGS) or (isinstance(operand, exp.Literal) and operand.is_string):
            yield operand
        elif isinstance(operand, (exp.Paren, exp.Collate, exp.Neg, exp.Prior)):
            pending.append(operand.this)
        elif isinstance(operand, exp.Case):
            pending.extend(branch.args.get("true") for branch in operand.args.get("ifs") or ())
            pending.append(operand.args.get("default"))


def offset_of(node: exp.Expr) -> int:
    """Where `node`, or else what it stands in, begins in the text, as far as the parser says."""
    here: exp.Expr | None = node
    while here is not None:
        starts = [start for part in here.walk() if isinstance(start := part.meta.get("start"), int)]
        if starts:
            return min(starts)
        here = here.parent
    return 0
