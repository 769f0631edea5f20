"""The two statements that both sides answer, over the demo schema of the stand-in."""

POINT_PATH = "bench/point"
POINT_SQL = (
    "SELECT order_id, customer_id, status, placed_at, currency, total_amount FROM orders WHERE order_id = :order_id"
)

ROWS_PATH = "bench/rows"
ROWS_SQL = "SELECT order_id, line_no, item_id, quantity, amount, status FROM order_lines FETCH FIRST 10000 ROWS ONLY"

MILLION_PATH = "bench/million"
MILLION_ROWS = 1_000_000
MILLION_SQL = (
    "SELECT l.order_id, l.line_no, l.item_id, l.quantity, l.amount, l.status FROM order_lines l "
    "CROSS JOIN (SELECT item_id FROM items FETCH FIRST 100 ROWS ONLY) i FETCH FIRST 1000000 ROWS ONLY"
)
