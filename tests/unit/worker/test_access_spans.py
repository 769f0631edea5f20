"""Spans are sets of numbers: they must do exactly what sets do."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from worker.access_log.spans import Span, Spans, difference, holds, size, union, without_first, without_hole_up_to

NUMBERS_MAX = 40
some_spans = st.lists(
    st.builds(Span, st.integers(1, NUMBERS_MAX), st.integers(0, NUMBERS_MAX)), max_size=8
)  # some of them empty


def numbers(spans: Spans) -> set[int]:
    return {number for span in spans for number in range(span.first, span.last + 1)}


def is_tidy(spans: Spans) -> bool:
    return all(span.first <= span.last for span in spans) and all(
        one.last + 1 < other.first for one, other in pairwise(spans)
    )


@given(some_spans, some_spans)
def test_spans_do_what_sets_do(some: Spans, others: Spans) -> None:
    one, other = union(some), union(others)
    assert numbers(one) == numbers(some)
    assert numbers(difference(one, other)) == numbers(one) - numbers(other)
    assert is_tidy(one)
    assert is_tidy(difference(one, other))
    assert size(one) == len(numbers(one))
    assert [number for number in range(NUMBERS_MAX + 2) if holds(one, number)] == sorted(numbers(one))


@given(some_spans, st.integers(0, 50))
def test_the_smallest_numbers_are_taken_away(some: Spans, count: int) -> None:
    spans = union(some)
    assert sorted(numbers(without_first(spans, count))) == sorted(numbers(spans))[count:]
    assert is_tidy(without_first(spans, count))


@given(some_spans)
def test_the_first_hole_is_found(some: Spans) -> None:
    spans = union(some)
    reached = without_hole_up_to(spans)
    assert set(range(1, reached + 1)) <= numbers(spans)
    assert reached + 1 not in numbers(spans)
