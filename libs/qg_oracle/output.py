"""What a call has given so far, kept within its limits of rows and bytes."""

from typing import Any

from qg_oracle.columns import Column
from qg_oracle.statements import Statement
from qg_oracle.values import RowEncoder


class Output:
    """Counts and encodes batches. `size` is in bytes, commas between batches included."""

    __slots__ = ("_encoder", "_statement", "columns", "exhausted", "row_count", "size", "truncated")

    def __init__(self, statement: Statement) -> None:
        self.columns: tuple[Column, ...] = ()
        self.row_count = 0
        self.size = 0
        self.truncated = False
        self.exhausted = False
        """No batch follows: the result ended, or a limit cut it."""
        self._statement = statement
        self._encoder: RowEncoder | None = None

    def shape(self, columns: tuple[Column, ...]) -> None:
        """The columns of the batches to come. Raises as `Statement.encoder_for` does."""
        self.columns = columns
        self._encoder = self._statement.encoder_for(columns)

    @property
    def next_rows(self) -> int:
        """Rows to ask for next: never more than one above the limit, which tells whether there were more."""
        return min(self._statement.batch_rows, self._statement.rows_max + 1 - self.row_count)

    def encode(self, rows: list[Any], asked: int) -> bytes:
        """One batch; fewer rows than were `asked` for mean that it is the last. Raises `QueryFailed`."""
        encoder, statement = self._encoder, self._statement
        if encoder is None:
            raise RuntimeError("a batch came before its columns")
        self.exhausted = len(rows) < asked
        room = statement.rows_max - self.row_count
        if len(rows) > room:
            del rows[room:]
            self.truncated = self.exhausted = True
        chunk = encoder.encode(rows)
        room = statement.bytes_max - self.size
        if len(chunk) > room:
            rows, chunk = _fitting(encoder, rows, room)
            self.truncated = self.exhausted = True
        count, size = len(rows), len(chunk)
        statement.note_batch(self.columns, count, size)
        self.row_count += count
        self.size += size + 1
        if self.exhausted:
            statement.note_total(self.row_count)
        return chunk


def _fitting(encoder: RowEncoder, rows: list[Any], room: int) -> tuple[list[Any], bytes]:
    """The longest run of rows from the start whose encoding fits into `room` bytes."""
    low, high = 0, len(rows)
    best = b""
    while low < high:
        middle = (low + high + 1) // 2
        chunk = encoder.encode(rows[:middle])
        if len(chunk) <= room:
            low, best = middle, chunk
        else:
            high = middle - 1
    return rows[:low], best
