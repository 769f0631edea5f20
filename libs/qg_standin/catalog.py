"""Declared Oracle types of tables and views: the engine forgets them, DESCRIBE needs them."""

from __future__ import annotations

from sqlglot import exp

from qg_standin.columns import NUMBER_FREE, Kind, OracleType

Columns = dict[str, OracleType]
_T = exp.DataType.Type
_TEXT_SIZE = 4000
_SIMPLE = {
    _T.DATE: OracleType(Kind.DATE),
    _T.DOUBLE: OracleType(Kind.BINARY_DOUBLE),
    _T.FLOAT: NUMBER_FREE,
    _T.TIMESTAMP: OracleType(Kind.TIMESTAMP, 0, 6),
    _T.TIMESTAMPTZ: OracleType(Kind.TIMESTAMP_TZ, 0, 6),
    _T.TIMESTAMPLTZ: OracleType(Kind.TIMESTAMP_LTZ, 0, 6),
    _T.TEXT: OracleType(Kind.CLOB),
    _T.BLOB: OracleType(Kind.BLOB),
    _T.VARBINARY: OracleType(Kind.BLOB),
    _T.INT: OracleType(Kind.NUMBER, 38, 0),
    _T.BIGINT: OracleType(Kind.NUMBER, 38, 0),
    _T.SMALLINT: OracleType(Kind.NUMBER, 38, 0),
    _T.BOOLEAN: OracleType(Kind.NUMBER, 1, 0),
    _T.INTERVAL: OracleType(Kind.INTERVAL, 2, 6),
}
_NAMED = {
    "BINARY_DOUBLE": OracleType(Kind.BINARY_DOUBLE),
    "BINARY_FLOAT": OracleType(Kind.BINARY_FLOAT),
    "CLOB": OracleType(Kind.CLOB),
    "NCLOB": OracleType(Kind.CLOB),
    "LONG": OracleType(Kind.CLOB),
}


def declared_type(declared: exp.DataType) -> OracleType | None:
    """The Oracle type a parsed data type stands for, None if it is none we know."""
    sizes = [int(size.name) for size in declared.expressions if size.name.isdigit()]
    name = declared.sql("oracle").upper()
    if name.startswith("RAW"):
        digits = "".join(filter(str.isdigit, name))
        return OracleType(Kind.RAW, size=int(digits or 2000))
    if name in _NAMED:
        return _NAMED[name]
    if declared.this in (_T.DECIMAL, _T.BIGDECIMAL):
        if not sizes:
            return NUMBER_FREE
        return OracleType(Kind.NUMBER, sizes[0], sizes[1] if len(sizes) > 1 else 0)
    if declared.this in (_T.CHAR, _T.NCHAR):
        return OracleType(Kind.CHAR, size=sizes[0] if sizes else 1)
    if declared.this in (_T.VARCHAR, _T.NVARCHAR):
        return OracleType(Kind.VARCHAR, size=sizes[0] if sizes else _TEXT_SIZE)
    if declared.this in (_T.TIMESTAMP, _T.TIMESTAMPTZ, _T.TIMESTAMPLTZ) and sizes:
        return OracleType(_SIMPLE[declared.this].kind, 0, sizes[0])
    return _SIMPLE.get(declared.this)


def storage_type(oracle: OracleType) -> str:
    """The engine's type that holds values of an Oracle type exactly."""
    if oracle.kind is Kind.NUMBER:
        if oracle == NUMBER_FREE:
            return "decimal(38,10)"
        return f"decimal({oracle.precision or 38},{max(oracle.scale, 0)})"
    return {
        Kind.BINARY_DOUBLE: "double",
        Kind.BINARY_FLOAT: "float",
        Kind.RAW: "blob",
        Kind.BLOB: "blob",
        Kind.DATE: "timestamp_s",
        Kind.TIMESTAMP: "timestamp",
        Kind.TIMESTAMP_TZ: "timestamptz",
        Kind.TIMESTAMP_LTZ: "timestamptz",
        Kind.INTERVAL: "interval",
    }.get(oracle.kind, "varchar")


class Catalog:
    """Tables and views by upper case name; `generation` changes with each definition."""

    def __init__(self) -> None:
        self.generation = 0
        self._tables: dict[str, Columns] = {}

    def declare(self, table: str, columns: Columns) -> None:
        self._tables[table.upper()] = {name.upper(): declared for name, declared in columns.items()}
        self.generation += 1

    def forget(self, table: str) -> None:
        self._tables.pop(table.upper(), None)
        self.generation += 1

    def columns(self, table: str) -> Columns | None:
        return self._tables.get(table.upper())

    def names(self) -> list[str]:
        """Tables and views of the schema; DUAL is the system's."""
        return sorted(name for name in self._tables if name != "DUAL")
