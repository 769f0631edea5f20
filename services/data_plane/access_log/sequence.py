"""The numbers of requests, kept where a kill -9 can't take them: in a file that is mapped into memory.

One 8-byte word holds both how many numbers were given and how many requests are running (which have none yet). A
request counts as running before anything of its answer is sent, and until it gets its number, with its event: so
numbers rise in the order in which events are written, and whoever opens the file after a kill knows exactly how many
requests left no event, from the sum of the two. The word is written in one store; the system keeps it when the process
dies. (A machine that loses power may lose it: `logs` begins a new log after every boot.)
"""

from array import array

from qg_core.access_events import SEQUENCE_MAX

_RUNNING_BITS = 20
_ONE_NUMBER = 1 << _RUNNING_BITS
_RUNNING_MASK = _ONE_NUMBER - 1
_ENDED = _ONE_NUMBER - 1
"""One number more, one running request less."""

COUNTER_BYTES = 16
"""The word, and the last number that a file holds or that was dropped."""

Cells = memoryview
"""Two unsigned 64-bit numbers."""


class Sequence:
    """Numbers from 1. Until `continue_in` they are kept in memory alone."""

    __slots__ = ("_cells", "_word")

    def __init__(self) -> None:
        self._cells: Cells = memoryview(array("Q", (0, 0)))
        self._word = 0

    def begin(self) -> None:
        """Count a request as running; `end` must follow."""
        self._cells[0] = self._word = self._word + 1

    def end(self, count: int) -> int:
        """The first of the numbers of `count` requests that are over; they follow each other.

        Stores nothing: the sum, which is what a kill leaves, is the same.
        """
        first = self.last + 1
        self._word += count * _ENDED
        return first

    @property
    def last(self) -> int:
        """The last number that was given."""
        return self._word >> _RUNNING_BITS

    def continue_in(self, cells: Cells, after: int) -> int:
        """From now on count in `cells`, where numbers up to `after` are gone; the last number that has no event.

        Requests that are running get their numbers there; those that ended before are numbers without an event.
        """
        self._word += after << _RUNNING_BITS
        cells[0] = self._word
        self._cells = cells
        return self.last

    def let_go(self) -> None:
        """Count on in memory: the file is about to be closed."""
        self._cells = memoryview(array("Q", (self._word, 0)))


def numbers_gone(word: int) -> int:
    """The last number that was given or is due to a request that was running, by the word of a file."""
    return min((word >> _RUNNING_BITS) + (word & _RUNNING_MASK), SEQUENCE_MAX)
