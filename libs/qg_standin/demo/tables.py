"""Tables of the demo schema with their Oracle types."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp


@dataclass(frozen=True, slots=True)
class TableColumn:
    name: str
    type_text: str

    def declared(self) -> exp.DataType:
        return exp.DataType.build(self.type_text, dialect="oracle", udt=True)


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    key: str
    columns: tuple[TableColumn, ...]


def _table(name: str, key: str, *columns: str) -> Table:
    return Table(name, key, tuple(TableColumn(*column.split(" ", 1)) for column in columns))


TABLES: tuple[Table, ...] = (
    _table(
        "customers", "customer_id",
        "customer_id NUMBER(10)", "name VARCHAR2(120)", "segment VARCHAR2(20)", "country_code CHAR(2)",
        "city VARCHAR2(80)", "credit_limit NUMBER(12,2)", "rating BINARY_DOUBLE", "is_active NUMBER(1)",
        "since DATE", "updated_at TIMESTAMP(6)",
    ),
    _table(
        "items", "item_id",
        "item_id NUMBER(10)", "sku VARCHAR2(24)", "name VARCHAR2(160)", "category VARCHAR2(40)",
        "unit VARCHAR2(8)", "list_price NUMBER(12,4)", "weight_kg NUMBER(9,3)", "hazard_class VARCHAR2(8)",
        "drawing BLOB", "introduced DATE",
    ),
    _table(
        "suppliers", "supplier_id",
        "supplier_id NUMBER(10)", "name VARCHAR2(120)", "country_code CHAR(2)", "lead_time_days NUMBER(4)",
        "quality_score NUMBER(5,2)", "is_approved NUMBER(1)", "onboarded DATE",
    ),
    _table(
        "supplier_contracts", "contract_id",
        "contract_id NUMBER(10)", "supplier_id NUMBER(10)", "item_id NUMBER(10)", "unit_price NUMBER(14,6)",
        "currency CHAR(3)", "minimum_quantity NUMBER(10)", "valid_from DATE", "valid_to DATE",
        "signed_at TIMESTAMP(6) WITH TIME ZONE", "total_value NUMBER(38,4)", "remarks CLOB",
    ),
    _table(
        "orders", "order_id",
        "order_id NUMBER(12)", "customer_id NUMBER(10)", "order_guid RAW(16)", "status VARCHAR2(16)",
        "ordered_on DATE", "placed_at TIMESTAMP(6)", "promised_on DATE", "shipped_on DATE",
        "currency CHAR(3)", "total_amount NUMBER(14,2)", "note VARCHAR2(400)",
    ),
    _table(
        "order_lines", "",
        "order_id NUMBER(12)", "line_no NUMBER(4)", "item_id NUMBER(10)", "quantity NUMBER(10,2)",
        "unit_price NUMBER(12,4)", "discount NUMBER(5,4)", "amount NUMBER(16,4)", "status VARCHAR2(16)",
    ),
    _table(
        "production_capacity", "",
        "plant_code VARCHAR2(8)", "capacity_date DATE", "category VARCHAR2(40)", "shift_count NUMBER(2)",
        "capacity_units NUMBER(10)", "booked_units NUMBER(10)", "efficiency BINARY_DOUBLE",
    ),
    _table(
        "inventory_positions", "",
        "plant_code VARCHAR2(8)", "item_id NUMBER(10)", "on_hand NUMBER(12,3)", "reserved NUMBER(12,3)",
        "reorder_point NUMBER(12,3)", "last_counted TIMESTAMP(6)",
    ),
)  # fmt: skip
