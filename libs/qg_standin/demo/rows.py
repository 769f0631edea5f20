"""Fills the demo tables inside the engine: every value comes from a hash of the row's number.

Braces are row counts. Hashing with a constant per column makes the columns independent of each other and
the whole schema the same wherever it is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

from qg_standin.catalog import Columns
from qg_standin.columns import Kind, OracleType


def _pick(column: str, seed: int, *choices: str) -> str:
    listed = ", ".join(f"'{choice}'" for choice in choices)
    return f"([{listed}])[1 + (hash({column} * 31 + {seed}) % {len(choices)})::int]"


def _number(column: str, seed: int, below: int | str) -> str:
    return f"(hash({column} * 31 + {seed}) % {below})::bigint"


_CATEGORIES = ("Bearings", "Fasteners", "Hydraulics", "Electronics", "Castings", "Coatings", "Packaging", "Tools")
_COUNTRIES = ("DE", "FR", "IT", "PL", "CZ", "US", "CN", "JP", "IN", "BR")
_CITIES = ("Hamburg", "Lyon", "Torino", "Łódź", "Brno", "Detroit", "Suzhou", "Nagoya", "Pune", "São Paulo")
_FIRST = ("Nord", "Alpen", "Baltic", "Pacific", "Delta", "Orion", "Atlas", "Meridian", "Vulkan", "Hansa")
_SECOND = ("Metall", "Logistics", "Components", "Systems", "Werke", "Industries", "Trading", "Mobility")
_DAY0 = "timestamp '2025-01-01'"

FILLS: dict[str, str] = {
    "customers": f"""
        insert into customers select i, {_pick("i", 1, *_FIRST)} || ' ' || {_pick("i", 2, *_SECOND)} || ' ' || i,
          {_pick("i", 3, "automotive", "aerospace", "energy", "retail", "medical")},
          {_pick("i", 4, *_COUNTRIES)}, {_pick("i", 4, *_CITIES)},
          ({_number("i", 5, 50_000_000)} / 100.0)::decimal(12,2), {_number("i", 6, 1000)} / 999.0,
          case when {_number("i", 7, 20)} = 0 then 0 else 1 end,
          timestamp '1995-01-01' + to_days({_number("i", 8, 10_000)}::int),
          {_DAY0} + to_microseconds({_number("i", 9, 31_536_000_000_000)})
        from range(1, {{customers}} + 1) r(i)""",
    "items": f"""
        insert into items select i, 'SKU-' || lpad(i::varchar, 7, '0'),
          {_pick("i", 11, *_CATEGORIES)} || ' part ' || i, {_pick("i", 11, *_CATEGORIES)},
          {_pick("i", 12, "pc", "kg", "m", "l")}, ({_number("i", 13, 9_000_000)} / 10000.0 + 0.5)::decimal(12,4),
          ({_number("i", 14, 250_000)} / 1000.0)::decimal(9,3),
          case when {_number("i", 15, 10)} = 0 then 'UN' || (1000 + {_number("i", 16, 900)}) end,
          case when {_number("i", 17, 4)} = 0 then encode(repeat('drawing ' || i || ' ', 20)) end,
          timestamp '2010-01-01' + to_days({_number("i", 18, 5000)}::int)
        from range(1, {{items}} + 1) r(i)""",
    "suppliers": f"""
        insert into suppliers select i, {_pick("i", 21, *_FIRST)} || ' ' || {_pick("i", 22, *_SECOND)} || ' Supply',
          {_pick("i", 23, *_COUNTRIES)}, 3 + {_number("i", 24, 60)},
          ({_number("i", 25, 5000)} / 100.0 + 50)::decimal(5,2), case when {_number("i", 26, 8)} = 0 then 0 else 1 end,
          timestamp '2005-01-01' + to_days({_number("i", 27, 6000)}::int)
        from range(1, {{suppliers}} + 1) r(i)""",
    "supplier_contracts": f"""
        insert into supplier_contracts
        select i, 1 + {_number("i", 31, "{suppliers}")}, 1 + {_number("i", 32, "{items}")},
          ({_number("i", 33, 900_000_000)} / 1000000.0 + 0.01)::decimal(14,6), {_pick("i", 34, "EUR", "USD", "JPY")},
          10 * (1 + {_number("i", 35, 500)}), {_DAY0} + to_days({_number("i", 36, 300)}::int),
          {_DAY0} + to_days(365 + {_number("i", 37, 700)}::int),
          timestamptz '2024-11-01 00:00:00+00' + to_seconds({_number("i", 38, 5_000_000)}),
          (hash(i * 31 + 39)::hugeint * 1000000007 % 9999999999999999999999)::decimal(38,4) / 10000,
          case when i % 7 = 0 then null
               else repeat('Contract ' || i || ': prices are reviewed each quarter; délai de livraison garanti. ',
                           (1 + {_number("i", 40, 60)})::int) end
        from range(1, {{supplier_contracts}} + 1) r(i)""",
    "orders": f"""
        insert into orders select i, 1 + {_number("i", 41, "{customers}")}, unhex(md5('order ' || i)),
          {_pick("i", 42, "open", "confirmed", "picked", "shipped", "shipped", "shipped", "cancelled")},
          {_DAY0} + to_days({_number("i", 43, 365)}::int),
          {_DAY0} + to_days({_number("i", 43, 365)}::int) + to_microseconds({_number("i", 44, 86_400_000_000)}),
          {_DAY0} + to_days(({_number("i", 43, 365)} + 5 + {_number("i", 45, 30)})::int),
          case when {_number("i", 42, 7)} in (3, 4, 5)
               then {_DAY0} + to_days(({_number("i", 43, 365)} + 2 + {_number("i", 46, 40)})::int) end,
          {_pick("i", 47, "EUR", "EUR", "USD", "JPY")}, ({_number("i", 48, 10_000_000)} / 100.0)::decimal(14,2),
          case when {_number("i", 49, 5)} = 0 then 'Deliver to gate ' || {_number("i", 50, 40)} || ', call ahead' end
        from range(1, {{orders}} + 1) r(i)""",
    "order_lines": f"""
        insert into order_lines
        select order_id, line_no, item_id, quantity, unit_price, discount,
               (quantity * unit_price * (1 - discount))::decimal(16,4), status
        from (select 1 + (i * {{orders}} // {{order_lines}}) as order_id,
                row_number() over (partition by i * {{orders}} // {{order_lines}} order by i) as line_no,
                1 + {_number("i", 51, "{items}")} as item_id,
                ({_number("i", 52, 40_000)} / 100.0 + 1)::decimal(10,2) as quantity,
                ({_number("i", 53, 9_000_000)} / 10000.0 + 0.5)::decimal(12,4) as unit_price,
                ({_number("i", 54, 2500)} / 10000.0)::decimal(5,4) as discount,
                {_pick("i", 55, "open", "allocated", "shipped", "backorder")} as status
              from range({{order_lines}}) r(i))""",
    "production_capacity": f"""
        insert into production_capacity select 'P' || lpad(p::varchar, 3, '0'), {_DAY0} + to_days(d::int), c,
          1 + {_number("k", 61, 3)}, 200 + {_number("k", 62, 1800)}, {_number("k", 63, 1900)},
          0.6 + {_number("k", 64, 400)} / 1000.0
        from (select p, d, c, (p * 1000 + d) * 10 + ci as k
              from range(1, {{plants}} + 1) rp(p), range({{days}}) rd(d),
                   (select unnest({list(_CATEGORIES[:3])}) as c, unnest([1, 2, 3]) as ci))""",
    "inventory_positions": f"""
        insert into inventory_positions select 'P' || lpad(p::varchar, 3, '0'), i,
          ({_number("k", 71, 5_000_000)} / 1000.0)::decimal(12,3),
          ({_number("k", 72, 800_000)} / 1000.0)::decimal(12,3),
          ({_number("k", 73, 900_000)} / 1000.0)::decimal(12,3),
          {_DAY0} + to_microseconds({_number("k", 74, 31_536_000_000_000)})
        from (select p, i, p * 1000000 + i as k from range(1, {{plants}} + 1) rp(p), range(1, {{items}} + 1) ri(i)
              where (p + i) % 3 = 0)""",
}

ORDER_TOTALS = """update orders set total_amount = lines.total
    from (select order_id, sum(amount)::decimal(14,2) as total from order_lines group by order_id) as lines
    where lines.order_id = orders.order_id"""


@dataclass(frozen=True, slots=True)
class View:
    name: str
    query: str
    columns: Columns


_NUMBER_10 = OracleType(Kind.NUMBER, 10, 0)
BIG_ROWS_COUNT = 2_000_000

VIEWS: tuple[View, ...] = (
    View(
        "big_rows",
        f"""select (i + 1)::decimal(10,0) as row_id, (i % 5000 + 1)::decimal(10,0) as customer_id,
            'R-' || lpad((i % 100000)::varchar, 8, '0') as reference,
            {_pick("(i % 97)", 81, "open", "confirmed", "shipped", "cancelled")} as status,
            cast((i * 7919 % 10000000) / 100.0 as decimal(12,2)) as amount,
            cast(timestamp '2025-01-01' + to_minutes((i % 525600)) as timestamp_s) as booked_at
            from range({BIG_ROWS_COUNT}) r(i)""",
        {
            "ROW_ID": _NUMBER_10,
            "CUSTOMER_ID": _NUMBER_10,
            "REFERENCE": OracleType(Kind.VARCHAR, size=16),
            "STATUS": OracleType(Kind.VARCHAR, size=16),
            "AMOUNT": OracleType(Kind.NUMBER, 12, 2),
            "BOOKED_AT": OracleType(Kind.DATE),
        },
    ),
)
