"""A statement as compiled from an endpoint: its text, its limits, its row encoders and what its rows weigh."""

import re
from collections.abc import Mapping, Sequence

import msgspec

from qg_core.errors import EndpointBusy
from qg_core.specs import EndpointSpec, NumberStyle
from qg_oracle.columns import LOB_ROWS_FIRST, Column, handler_of
from qg_oracle.values import RowEncoder, compile_row_encoder

ROWS_FIRST = 100
"""Rows asked for when nothing is known of a statement's results yet."""

BATCH_ROWS_MAX = 2_000
"""More rows in one fetch gain nothing measurable, block the loop for longer (1 ms per 1,000) and cost memory."""

BATCH_BYTES = 4 * 1024 * 1024
"""What one batch should weigh as JSON, judged by the rows seen so far."""

NARROW_ROW_BYTES = BATCH_BYTES // BATCH_ROWS_MAX
"""Rows of that size fill a batch of the most rows."""

BATCH_BYTES_WORST = 64 * 1024 * 1024
"""What one batch could weigh if every column were as wide as it is declared."""

CLIENT_IDENTIFIER_BYTES_MAX = 64
MODULE_BYTES_MAX = 48
ACTION_BYTES_MAX = 32


class Tags(msgspec.Struct, frozen=True):
    """What a session shows of the request it serves (V$SESSION); cut to Oracle's lengths in bytes."""

    client_identifier: str
    module: str
    action: str


NO_TAGS = Tags("", "", "")


def make_tags(principal_tag: str, path: str, request_id: str) -> Tags:
    """Tags of one request: `<auth method type>:<consumer>`, the endpoint's path, the request id."""
    if (
        len(principal_tag) <= CLIENT_IDENTIFIER_BYTES_MAX
        and len(path) <= MODULE_BYTES_MAX
        and len(request_id) <= ACTION_BYTES_MAX
        and (principal_tag + path + request_id).isascii()
    ):
        return Tags(principal_tag, path, request_id)
    return Tags(
        _cut(principal_tag, CLIENT_IDENTIFIER_BYTES_MAX),
        _cut(path, MODULE_BYTES_MAX),
        _cut(request_id, ACTION_BYTES_MAX),
    )


# Atomic and possessive: a text of comments that ends as no query must not be read in every possible way.
_QUERY = re.compile(r"(?:\s|--[^\n]*+(?:\n|$)|(?>/\*.*?\*/)|\()*+(?:select|with)\b", re.IGNORECASE | re.DOTALL)


def is_query(sql: str) -> bool:
    """Whether a text begins as a query. No more than a second lock behind the SQL policy: nothing else is ever sent."""
    return _QUERY.match(sql) is not None


class Statement:
    """One endpoint's query. Made once per spec and kept across catalogs; shared by all its calls on this node.

    `running` counts calls, abandoned ones included, against `concurrency_max`.
    """

    __slots__ = (
        "_column_map",
        "_encoders",
        "_last_columns",
        "_last_encoder",
        "batch_rows",
        "bytes_max",
        "concurrency_max",
        "first_rows",
        "handler",
        "is_query",
        "rows_max",
        "running",
        "sql",
    )

    def __init__(
        self,
        sql: str,
        *,
        column_map: Mapping[str, str] | None = None,
        numbers: NumberStyle = NumberStyle.NUMBER,
        rows_max: int = 1_000,
        bytes_max: int = 64 * 1024 * 1024,
        concurrency_max: int = 5,
    ) -> None:
        self.sql = sql
        self.is_query = is_query(sql)
        self.handler = handler_of(numbers)
        self.rows_max = rows_max
        self.bytes_max = bytes_max
        self.concurrency_max = concurrency_max
        self.running = 0
        self.first_rows = min(ROWS_FIRST, rows_max + 1)
        """Rows to ask for with the statement itself; one more than its limit tells whether there were more."""
        self.batch_rows = ROWS_FIRST
        """Rows to ask for in one fetch, as far as is known."""
        self._column_map = dict(column_map or {})
        self._encoders: dict[tuple[Column, ...], RowEncoder] = {}
        self._last_columns: tuple[Column, ...] | None = None
        self._last_encoder: RowEncoder | None = None

    def enter(self) -> None:
        """Count one more call. Raises `EndpointBusy` when `concurrency_max` are running."""
        if self.running >= self.concurrency_max:
            raise EndpointBusy(retry_after_s=1)
        self.running += 1

    def leave(self) -> None:
        self.running -= 1

    def encoder_for(self, columns: tuple[Column, ...]) -> RowEncoder:
        """The encoder of a shape, made once. Raises as `compile_row_encoder` does."""
        if columns is self._last_columns and self._last_encoder is not None:
            return self._last_encoder
        encoder = self._encoders.get(columns)
        if encoder is None:
            encoder = compile_row_encoder(columns, self._column_map)
            if len(self._encoders) > 8:  # the tables behind it keep changing
                self._encoders.clear()
            self._encoders[columns] = encoder
        self._last_columns, self._last_encoder = columns, encoder
        return encoder

    def known(self, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        """The same columns as one object, whichever session they were described in: `encoder_for` compares that."""
        return next((described for described in self._encoders if described == columns), columns)

    def note_batch(self, columns: Sequence[Column], rows: int, size: int) -> None:
        """Learn from a batch of `rows` rows that became `size` bytes how many to ask for next."""
        if rows == 0 or (self.batch_rows == BATCH_ROWS_MAX and size <= rows * NARROW_ROW_BYTES):
            return
        seen = max(1, size // rows)
        fitting = min(BATCH_ROWS_MAX, BATCH_BYTES // seen)
        if fitting > self.batch_rows:
            declared = sum(column.bytes_max for column in columns)
            fitting = min(fitting, BATCH_BYTES_WORST // max(1, declared))
            if rows < LOB_ROWS_FIRST // 2 and any(column.is_lob for column in columns):
                return  # too few rows to trust with LOBs
        self.batch_rows = max(1, fitting)
        if self.first_rows > self.batch_rows:
            self.first_rows = self.batch_rows

    def note_total(self, rows: int) -> None:
        """Learn from a whole result whether the first fetch should have asked for more.

        Not for more than that: the driver clears the whole fetch array after every call (18 ns a row and column), so a
        point query that asked for 5,000 rows would pay 90 us for nothing.
        """
        if rows >= self.first_rows:
            self.first_rows = min(self.batch_rows, self.rows_max + 1, 2 * rows)


def statement_of(spec: EndpointSpec) -> Statement:
    """The statement of a published endpoint."""
    return Statement(
        spec.sql_text,
        column_map=spec.column_map,
        numbers=spec.numbers,
        rows_max=spec.rows_max,
        bytes_max=spec.bytes_max,
        concurrency_max=spec.concurrency_max,
    )


def _cut(text: str, bytes_max: int) -> str:
    raw = text.encode("utf-8", "replace")
    return text if len(raw) <= bytes_max else raw[:bytes_max].decode("utf-8", "ignore")
