"""Sets of whole numbers as ascending lists of spans that neither overlap nor touch: which events of a log are settled.

A log has one span when all is well, and one more per hole; so plain lists do.
"""

from collections.abc import Iterable

import msgspec


class Span(msgspec.Struct, frozen=True, order=True):
    """The numbers from `first` to `last`, both included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many numbers that are."""
        return self.last - self.first + 1


Spans = list[Span]


def union(spans: Iterable[Span]) -> Spans:
    """All numbers of `spans`, which may come in any order, overlap and be empty (`last` below `first`)."""
    found: Spans = []
    for span in sorted(spans):
        if span.last < span.first:
            continue
        if found and span.first <= found[-1].last + 1:
            if span.last > found[-1].last:
                found[-1] = Span(found[-1].first, span.last)
        else:
            found.append(span)
    return found


def difference(spans: Spans, taken: Spans) -> Spans:
    """The numbers of `spans` that are not in `taken`; both as `union` makes them."""
    found: Spans = []
    index = 0
    for span in spans:
        first = span.first
        while index < len(taken) and taken[index].last < first:
            index += 1
        at = index
        while at < len(taken) and taken[at].first <= span.last:
            if first < taken[at].first:
                found.append(Span(first, taken[at].first - 1))
            first = taken[at].last + 1
            at += 1
        if first <= span.last:
            found.append(Span(first, span.last))
    return found


def without_first(spans: Spans, count: int) -> Spans:
    """`spans` without its `count` smallest numbers."""
    found: Spans = []
    for span in spans:
        taken = min(count, span.size)
        count -= taken
        if taken < span.size:
            found.append(Span(span.first + taken, span.last))
    return found


def size(spans: Spans) -> int:
    """How many numbers are in `spans`, which don't overlap."""
    return sum(span.size for span in spans)


def without_hole_up_to(spans: Spans) -> int:
    """The largest number up to which all, from 1 on, are in `spans`; 0 when 1 is not."""
    return spans[0].last if spans and spans[0].first <= 1 else 0


def holds(spans: Spans, number: int) -> bool:
    """Whether `number` is in `spans`."""
    low, high = 0, len(spans)
    while low < high:
        middle = (low + high) // 2
        if spans[middle].last < number:
            low = middle + 1
        else:
            high = middle
    return low < len(spans) and spans[low].first <= number
