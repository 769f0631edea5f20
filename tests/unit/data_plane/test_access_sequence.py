"""Numbers of requests: rising, and never lost, wherever the process dies."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from data_plane.access_log.sequence import Sequence, numbers_gone


@given(st.lists(st.sampled_from((0, 0, 0, 1, 2, 5)), max_size=200), st.integers(0, 2**40))
def test_the_word_always_says_what_would_be_missing(steps: list[int], after: int) -> None:
    """At every step: numbers given and requests running are exactly what is gone if the process died now."""
    cells = memoryview(array("Q", (0, 0)))
    numbers = Sequence()
    numbers.continue_in(cells, after)
    running = given_last = 0
    for ending in steps:
        if not ending:
            numbers.begin()
            running += 1
        elif running >= ending:
            assert numbers.end(ending) == after + given_last + 1
            running -= ending
            given_last += ending
        assert numbers_gone(cells[0]) == after + given_last + running
        assert numbers.last == after + given_last


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 2**40))
def test_what_was_counted_before_there_was_a_file_counts_there(ended: int, running: int, after: int) -> None:
    numbers = Sequence()
    for _ in range(ended + running):
        numbers.begin()
    if ended:
        numbers.end(ended)
    cells = memoryview(array("Q", (0, 0)))
    assert numbers.continue_in(cells, after) == after + ended
    assert numbers_gone(cells[0]) == after + ended + running
    for number in range(running):
        assert numbers.end(1) == after + ended + number + 1
    numbers.let_go()
    numbers.begin()
    assert numbers_gone(cells[0]) == after + ended + running
