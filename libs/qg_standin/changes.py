"""The transaction of one session: opened by its first change, ended by commit or rollback."""

from __future__ import annotations

from qg_standin.cache import ResultCache
from qg_standin.catalog import Catalog
from qg_standin.engine import EngineSession
from qg_standin.engine_pool import EnginePool
from qg_standin.failures import OracleError
from qg_standin.sql.plan import Plan
from qg_standin.sql.statement import Action
from qg_standin.values import BindValue

BatchError = tuple[int, int, str]


class Transaction:
    """All methods but `is_open` and `announce` block on the engine."""

    def __init__(self, engines: EnginePool, cache: ResultCache) -> None:
        self._engines = engines
        self._cache = cache
        self._engine: EngineSession | None = None

    @property
    def is_open(self) -> bool:
        return self._engine is not None

    def engine_or_none(self) -> EngineSession | None:
        return self._engine

    def engine(self) -> EngineSession:
        if self._engine is None:
            engine = self._engines.acquire()
            engine.begin()
            self._engine = engine
        return self._engine

    def change(
        self, plan: Plan, rows: list[dict[str, BindValue]], *, keeps_errors: bool, catalog: Catalog
    ) -> tuple[int, list[BatchError]]:
        """Run DML once per row, or one definition; the rows affected and the errors kept."""
        if plan.action is Action.DEFINE:
            self._define(plan, catalog)
            return 0, []
        engine = self.engine()
        count = 0
        errors: list[BatchError] = []
        for offset, row in enumerate(rows):
            try:
                engine.execute(plan.sql, row)
                affected = engine.fetch(2)
                count += int(affected[0][0]) if affected else 0
            except OracleError as error:
                if not keeps_errors:
                    raise
                errors.append((offset, error.code, error.text))
        return count, errors

    def _define(self, plan: Plan, catalog: Catalog) -> None:
        engine = self.engine()
        definition = plan.definition
        engine.execute(plan.sql, {})
        engine.fetch(2)
        if definition is None:
            return
        if definition.forgets:
            catalog.forget(definition.table)
        elif definition.columns is not None:
            catalog.declare(definition.table, definition.columns)
        elif definition.query is not None:
            catalog.declare(definition.table, {column.name: column.type for column in plan.columns})

    def commit(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.commit()
            self._engines.release(engine)

    def rollback(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.rollback()
            self._engines.release(engine)

    def announce(self) -> None:
        """After a commit: cached results may be stale. Call from the event loop."""
        self._cache.clear()

    def abandon(self) -> None:
        """The session is gone: nothing it changed stays."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()
