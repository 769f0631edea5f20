"""The demo: endpoints over the supply-chain schema that `make dev` creates, and the schedules of two of them."""

import msgspec

BEARER, BASIC, API_KEY, PUBLIC = "bearer", "basic", "api_key", "public"


class EverySeconds(msgspec.Struct, frozen=True):
    """A schedule of the type `interval`."""

    seconds: int


class CronIn(msgspec.Struct, frozen=True):
    """A schedule of the type `cron`."""

    expression: str
    timezone: str


class DemoEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint, who may call it, and a query string that gives rows at every scale.

    One with a `schedule` answers from its newest snapshot.
    """

    name: str
    path: str
    access: str
    sql_text: str
    description: str
    param_schema: dict[str, dict[str, str | int | bool | list[str]]] = {}
    sample_query: str = ""
    rows_max: int = 1_000
    schedule: EverySeconds | CronIn | None = None


ENDPOINTS = (
    DemoEndpoint(
        name="Orders of a customer",
        path="orders/by-customer",
        access=API_KEY,
        description="A customer's newest orders.",
        sql_text="""\
select order_id, placed_at, status
  from orders
 where customer_id = :customer_id
 order by placed_at desc, order_id
 fetch first 5 rows only""",
        param_schema={"customer_id": {"type": "integer", "minimum": 1, "description": "Number of the customer"}},
        sample_query="customer_id=7",
    ),
    DemoEndpoint(
        name="Lines of an order",
        path="orders/lines",
        access=API_KEY,
        description="What was ordered, with the names of the items.",
        sql_text="""\
select l.line_no, i.name as item, l.quantity, l.unit_price, l.quantity * l.unit_price as amount
  from order_lines l
  join items i on i.item_id = l.item_id
 where l.order_id = :order_id
 order by l.line_no""",
        param_schema={"order_id": {"type": "integer", "minimum": 1}},
        sample_query="order_id=7",
    ),
    DemoEndpoint(
        name="Customers of a country",
        path="customers/by-country",
        access=BEARER,
        description="Customers of one country, by name.",
        sql_text="""\
select customer_id, name, city, segment
  from customers
 where country_code = :country
 order by name
 fetch first 10 rows only""",
        param_schema={"country": {"type": "string", "max_length": 2, "pattern": "[A-Z]{2}", "required": True}},
        sample_query="country=DE",
    ),
    DemoEndpoint(
        name="Contracts of a supplier",
        path="suppliers/contracts",
        access=BEARER,
        description="Prices agreed with a supplier that hold on a day.",
        sql_text="""\
select c.contract_id, i.name as item, c.unit_price, c.currency, c.valid_from, c.valid_to
  from supplier_contracts c
  join items i on i.item_id = c.item_id
 where c.supplier_id = :supplier_id
   and c.valid_from <= :on_day
   and c.valid_to >= :on_day
 order by c.contract_id""",
        param_schema={
            "supplier_id": {"type": "integer", "minimum": 1},
            "on_day": {"type": "date", "required": False, "default": "2025-12-01"},
        },
        sample_query="supplier_id=7",
    ),
    DemoEndpoint(
        name="Inventory of an item",
        path="inventory/by-item",
        access=BASIC,
        description="How much of an item lies in which plant.",
        sql_text="""\
select plant_code, on_hand, reserved
  from inventory_positions
 where item_id = :item_id
 order by plant_code""",
        param_schema={"item_id": {"type": "integer", "minimum": 1}},
        sample_query="item_id=7",
    ),
    DemoEndpoint(
        name="Production capacity",
        path="capacity/by-day",
        access=BASIC,
        description="Planned units per plant and day.",
        sql_text="""\
select plant_code, capacity_date, sum(capacity_units) as units, sum(booked_units) as booked
  from production_capacity
 where capacity_date between :first_day and :last_day
 group by plant_code, capacity_date
 order by capacity_date, plant_code""",
        param_schema={"first_day": {"type": "date"}, "last_day": {"type": "date"}},
        sample_query="first_day=2025-03-03&last_day=2025-03-04",
    ),
    DemoEndpoint(
        name="Item categories",
        path="items/categories",
        access=PUBLIC,
        description="How many items each category has; needs no sign-in.",
        sql_text="""\
select category, count(*) as items
  from items
 group by category
 order by category""",
    ),
    DemoEndpoint(
        name="Orders by status",
        path="orders/by-status",
        access=API_KEY,
        description="How many orders stand where; a snapshot, made every 30 seconds.",
        sql_text="""\
select status, count(*) as orders, min(placed_at) as first_placed_at, max(placed_at) as last_placed_at
  from orders
 group by status
 order by status""",
        schedule=EverySeconds(30),
    ),
    DemoEndpoint(
        name="Inventory by plant",
        path="inventory/by-plant",
        access=BASIC,
        description="What lies in each plant; a snapshot, made on workdays before the early shift.",
        sql_text="""\
select plant_code, sum(on_hand) as on_hand, sum(reserved) as reserved
  from inventory_positions
 group by plant_code
 order by plant_code""",
        schedule=CronIn("45 5 * * mon-fri", "Europe/Berlin"),
    ),
)
