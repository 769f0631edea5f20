"""The demo schema: a supply-chain business, the same on every machine for the same scale."""

from __future__ import annotations

from qg_standin.catalog import Catalog, declared_type, storage_type
from qg_standin.demo.rows import FILLS, ORDER_TOTALS, VIEWS
from qg_standin.demo.tables import TABLES
from qg_standin.engine import EngineSession

SCALE_MAX = 50.0
_COUNTS = {
    "customers": 5_000,
    "orders": 40_000,
    "order_lines": 120_000,
    "items": 1_000,
    "suppliers": 200,
    "supplier_contracts": 1_500,
    "plants": 12,
    "days": 365,
}
_FIXED = frozenset({"plants", "days"})


def counts(scale: float) -> dict[str, int]:
    """Rows per table at a scale; ValueError outside 0 < scale <= 50."""
    if not 0 < scale <= SCALE_MAX:
        raise ValueError(f"scale must be above 0 and at most {SCALE_MAX:g}")
    return {name: n if name in _FIXED else max(int(n * scale), 10) for name, n in _COUNTS.items()}


def load_demo(engine: EngineSession, catalog: Catalog, scale: float) -> None:
    """Create and fill the schema. Blocks; under 3 s at scale 1."""
    numbers = counts(scale)
    for table in TABLES:
        declared = {column.name.upper(): declared_type(column.declared()) for column in table.columns}
        types = {name: oracle for name, oracle in declared.items() if oracle is not None}
        keys = f", primary key ({table.key})" if table.key else ""
        body = ", ".join(f"{column.name} {storage_type(types[column.name.upper()])}" for column in table.columns)
        engine.execute(f"create table {table.name} ({body}{keys})", {})
        engine.execute(FILLS[table.name].format(**numbers), {})
        catalog.declare(table.name, types)
    engine.execute(ORDER_TOTALS, {})
    for view in VIEWS:
        engine.execute(f"create view {view.name} as {view.query}", {})
        catalog.declare(view.name, view.columns)
