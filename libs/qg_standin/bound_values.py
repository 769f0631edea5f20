"""What a cursor's raw binds and defines mean: values for the engine, kinds for the plan, a key for the cache."""

from __future__ import annotations

from collections.abc import Hashable

from qg_standin.binds import RawRow
from qg_standin.columns import ColumnEncoder, encoder_for
from qg_standin.cursors import Cursor
from qg_standin.lobs import LobStore
from qg_standin.sql.bind_kinds import kind_of_bind
from qg_standin.sql.plan import BindKinds, Plan
from qg_standin.values import BLOB, CLOB, BindValue, decode_bind


def bind_values(cursor: Cursor, row: RawRow, lobs: LobStore) -> dict[str, BindValue]:
    """The bind values by parameter name; all NULL when only a description is wanted."""
    values: dict[str, BindValue] = dict.fromkeys(cursor.parameters)
    for name, bind, raw in zip(cursor.parameters, cursor.bind_types, row, strict=False):
        if bind.type_number in (CLOB, BLOB):
            values[name] = lobs.value(raw)
        else:
            values[name] = decode_bind(bind.type_number, bind.charset_form, raw)
    return values


def bind_kinds(cursor: Cursor, row: RawRow) -> BindKinds:
    return tuple(kind_of_bind(bind.type_number, raw) for bind, raw in zip(cursor.bind_types, row, strict=False))


def cache_key(cursor: Cursor, row: RawRow) -> Hashable:
    """Same text, same raw binds, same defines: same bytes."""
    return cursor.sql, cursor.bind_types, row, cursor.define_types


def column_encoders(cursor: Cursor, plan: Plan, lobs: LobStore) -> list[ColumnEncoder]:
    """One encoder per column, as the client's defines ask for it."""
    defines = cursor.define_types or ()
    return [
        encoder_for(column, lobs.cell, defines[index].type_number if index < len(defines) else column.type_number)
        for index, column in enumerate(plan.columns)
    ]
