"""Plans: what the engine is to run for one Oracle statement, and how its result is described."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import SqlglotError

from qg_standin.catalog import Catalog
from qg_standin.columns import ENGINE_SHAPES, Column, Kind, OracleType
from qg_standin.engine import EngineColumn, EngineSession
from qg_standin.failures import OracleError, unsupported
from qg_standin.placeholders import rename_placeholders
from qg_standin.replies import describe
from qg_standin.session_view import Surroundings
from qg_standin.sql.bind_kinds import NUMBER_WIDE
from qg_standin.sql.definitions import Definition, define
from qg_standin.sql.dictionary import replace_dictionary
from qg_standin.sql.kinds import Kinds
from qg_standin.sql.outputs import column_of, output_names
from qg_standin.sql.rewrite import rewrite
from qg_standin.sql.rownum import replace_connect_by, replace_rownum
from qg_standin.sql.sleep import Seconds, take_sleeps
from qg_standin.sql.statement import Action, parse
from qg_standin.values import BindValue

_log = logging.getLogger(__name__)
PLANS_MAX = 4000
BindKinds = tuple[OracleType | None, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    action: Action
    sql: str = ""
    columns: tuple[Column, ...] = ()
    used_parameters: frozenset[str] = frozenset()
    sleeps: tuple[Seconds, ...] = ()
    is_stable: bool = True
    """The same statement with the same binds gives the same rows until something is committed."""
    definition: Definition | None = None

    @property
    def has_lobs(self) -> bool:
        return any(column.is_lob for column in self.columns)

    def parameters(self, values: Mapping[str, BindValue]) -> dict[str, BindValue]:
        return {name: value for name, value in values.items() if name in self.used_parameters}


_UNSTABLE = (exp.CurrentTimestamp, exp.CurrentDate, exp.Systimestamp, exp.Rand, exp.Uuid, exp.TableSample)
_UNSTABLE_CALLS = frozenset({"SYS_GUID", "DBMS_RANDOM", "QG_SLEEP", "SYSTIMESTAMP", "SYSDATE"})


class Planner:
    """Makes plans and keeps those that don't depend on the session. Called from worker threads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._plans: dict[tuple[str, BindKinds, int], Plan] = {}
        self._described: dict[tuple[int, tuple[Column, ...]], bytes] = {}

    def known(self, sql: str, kinds: BindKinds) -> Plan | None:
        """The kept plan; never blocks."""
        return self._plans.get((sql, kinds, self._catalog.generation))

    def described(self, plan: Plan, field_version: int) -> bytes:
        """The DESCRIBE message of a plan's columns, encoded once."""
        key = (field_version, plan.columns)
        encoded = self._described.get(key)
        if encoded is None:
            if len(self._described) >= PLANS_MAX:
                self._described.clear()
            encoded = self._described[key] = describe(plan.columns, field_version)
        return encoded

    def plan(
        self,
        sql: str,
        names: Sequence[str],
        values: Mapping[str, BindValue],
        kinds: BindKinds,
        around: Surroundings,
        engine: EngineSession,
    ) -> Plan:
        """The plan of a statement; `names` and `kinds` go with its placeholders in order of occurrence."""
        key = (sql, kinds, self._catalog.generation)
        known = self._plans.get(key)
        if known is not None:
            return known
        try:
            bind_kinds = dict(zip(names, kinds, strict=False))
            plan, depends_on_session = self._make(sql, bind_kinds, values, around, engine)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError, SqlglotError) as error:
            # A tree of a shape the rules do not expect: the statement fails, the session goes on.
            _log.exception("no plan for a statement")
            raise unsupported("this statement") from error
        if not depends_on_session and plan.action in (Action.QUERY, Action.CHANGE):
            if len(self._plans) >= PLANS_MAX:
                self._plans.clear()
            self._plans[key] = plan
        return plan

    def _make(
        self,
        sql: str,
        bind_kinds: Mapping[str, OracleType | None],
        values: Mapping[str, BindValue],
        around: Surroundings,
        engine: EngineSession,
    ) -> tuple[Plan, bool]:
        action, tree = parse(rename_placeholders(sql).sql)
        if action not in (Action.QUERY, Action.CHANGE, Action.DEFINE):
            return Plan(action), False
        if action is not Action.QUERY and not around.session.user.can_write:
            raise OracleError(1031)
        if tree.find(exp.Lock) is not None:
            if not around.session.user.can_write:
                raise OracleError(1031)
            _drop(tree, "locks")
        _drop(tree, "hint")
        is_stable = not _is_unstable(tree)
        sleeps = take_sleeps(tree)
        if action is Action.DEFINE:
            definition = define(tree, self._catalog)
            if definition.query is None:
                return Plan(action, definition.sql, definition=definition), True
            tree = definition.query
        outputs = output_names(tree, sql) if action is not Action.CHANGE else []
        session_columns = replace_dictionary(tree, around)
        inferred = Kinds(tree, self._catalog, bind_kinds)
        if session_columns:
            inferred.declare(session_columns)
        for output in outputs:
            output.resolve(inferred)
        tree = rewrite(tree, inferred)
        replace_connect_by(tree)
        replace_rownum(tree)
        if action is Action.CHANGE:
            return Plan(action, tree.sql("duckdb"), (), _parameters(tree), sleeps, False), session_columns is not None
        found = _describe(tree, values, engine)
        numbers_vary = NUMBER_WIDE in bind_kinds.values()
        columns = tuple(
            column_of(i, len(found), entry, outputs, inferred, numbers_vary=numbers_vary)
            for i, entry in enumerate(found)
        )
        if action is Action.DEFINE:
            assert definition.query is not None  # noqa: S101  (for the type checker)
            return Plan(action, f"{definition.sql} {tree.sql('duckdb')}", columns, definition=definition), True
        used = _parameters(tree)
        plan = Plan(
            action, _shaped(tree, columns, found), columns, used, sleeps,
            is_stable and session_columns is None,
        )  # fmt: skip
        return plan, session_columns is not None


def _drop(tree: exp.Expr, part: str) -> None:
    for query in tree.find_all(exp.Query):
        query.set(part, None)


def _is_unstable(tree: exp.Expr) -> bool:
    if any(True for _ in tree.find_all(*_UNSTABLE)):
        return True
    return any(call.name.upper() in _UNSTABLE_CALLS for call in tree.find_all(exp.Anonymous))


def _parameters(tree: exp.Expr) -> frozenset[str]:
    return frozenset(node.name for node in tree.find_all(exp.Placeholder))


def _describe(tree: exp.Expr, values: Mapping[str, BindValue], engine: EngineSession) -> list[EngineColumn]:
    """The result's columns, without computing a row."""
    query = tree.unnest() if isinstance(tree, exp.Subquery) else tree
    if not isinstance(query, exp.Query):
        raise unsupported("a query of this form")
    # The limit is replaced for the moment: copying a large tree costs more than parsing it.
    limit, offset = query.args.get("limit"), query.args.get("offset")
    query.set("limit", exp.Limit(expression=exp.Literal.number(0)))
    query.set("offset", None)
    text, used = query.sql("duckdb"), _parameters(query)
    query.set("limit", limit)
    query.set("offset", offset)
    columns = engine.execute(text, {name: value for name, value in values.items() if name in used})
    engine.fetch(1)
    return columns


def _shaped(tree: exp.Expr, columns: Sequence[Column], found: Sequence[EngineColumn]) -> str:
    """The query wrapped so that each column comes in the shape its encoder wants."""
    names = [f"c{i}" for i in range(1, len(columns) + 1)]
    shapes = [_shape(column, entry).format(name) for column, entry, name in zip(columns, found, names, strict=True)]
    return f"select {', '.join(shapes)} from ({tree.sql('duckdb', copy=False)}) as qg({', '.join(names)})"


def _shape(column: Column, entry: EngineColumn) -> str:
    if column.integer_places is not None:
        factor = f" * {10**column.integer_places}" if column.integer_places else ""
        return f"cast({{0}}{factor} as bigint)"
    if column.type.kind is Kind.NUMBER and entry.type_text == "BOOLEAN":
        return "cast(cast({0} as integer) as varchar)"
    if column.type.kind is Kind.CHAR:
        return f"rpad(cast({{0}} as varchar), {column.type.size}, ' ')"
    return ENGINE_SHAPES.get(column.type.kind, "{0}")
