"""Ways to turn rows into JSON objects, compared: CPU per row, and whether they give the same bytes.

    python -m benchmarks.row_encoding [--rows 10000] [--rounds 9]

Rows have 6 columns, as in the 10,000 rows benchmark: integer, text, float, datetime, integer, text. No server is
needed. Prints the best of the rounds; docs/adr/0009-values-to-json.md says what was concluded.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import starmap
from typing import Any

import msgspec

from qg_oracle.values import RowEncoder

NAMES = ("ORDER_ID", "CUSTOMER", "TOTAL_AMOUNT", "PLACED_AT", "QUANTITY", "STATUS")
Row = tuple[int, str, float, datetime, int, str]

_encode = msgspec.json.Encoder(decimal_format="number").encode


def make_rows(count: int) -> list[Row]:
    began = datetime(2026, 1, 1)  # noqa: DTZ001 - as the driver gives them
    return [
        (n, f'customer "{n}" \u00e4', n * 1.25, began + timedelta(minutes=n), n % 97, "confirmed") for n in range(count)
    ]


def dicts(rows: Sequence[Row]) -> bytes:
    """What an application does that thinks of nothing in particular."""
    return _encode([dict(zip(NAMES, row, strict=True)) for row in rows])


_fields: list[tuple[str, Any]] = [(f"c{n}", Any) for n in range(len(NAMES))]
_RowStruct: Callable[..., Any] = msgspec.defstruct(
    "RowStruct", _fields, rename={f"c{n}": name for n, name in enumerate(NAMES)}, gc=False
)


def structs_in_a_loop(rows: Sequence[Row]) -> bytes:
    return _encode([_RowStruct(*row) for row in rows])


def structs_by_starmap(rows: Sequence[Row]) -> bytes:
    return _encode(list(starmap(_RowStruct, rows)))


_template = "{" + ",".join(f'"{name}":%s' for name in NAMES) + "}"


def joined_text(rows: Sequence[Row]) -> bytes:
    """Every value encoded on its own, put into a template."""
    texts = [_template % tuple(_encode(value).decode() for value in row) for row in rows]
    return ("[" + ",".join(texts) + "]").encode()


_encoder = RowEncoder(NAMES)


def as_chosen(rows: Sequence[Row]) -> bytes:
    """qg_oracle's row encoder, brackets added."""
    return b"[" + _encoder.encode(rows) + b"]"


def building_only(rows: Sequence[Row]) -> list[Any]:
    """The share of `structs_by_starmap` that is not encoding."""
    return list(starmap(_RowStruct, rows))


WAYS: tuple[Callable[[Sequence[Row]], bytes], ...] = (
    dicts,
    structs_in_a_loop,
    structs_by_starmap,
    joined_text,
    as_chosen,
)


def best_us_per_row(way: Callable[[Sequence[Row]], object], rows: Sequence[Row], rounds: int) -> float:
    """CPU microseconds per row, the best of `rounds`."""
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        way(rows)
        best = min(best, time.process_time() - began)
    return best / len(rows) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    rows = make_rows(arguments.rows)
    expected = dicts(rows)
    for way in WAYS:
        same = "same bytes" if way(rows) == expected else "OTHER BYTES"
        print(f"{way.__name__:20} {best_us_per_row(way, rows, arguments.rounds):6.2f} us/row  {same}")
    print(f"{building_only.__name__:20} {best_us_per_row(building_only, rows, arguments.rounds):6.2f} us/row")


if __name__ == "__main__":
    main()
