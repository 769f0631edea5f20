"""How far a log is stored does not depend on the order in which its batches come, nor on how often."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.access_log.checking import CheckedBatch
from worker.access_log.progress import Progress, advance, found_again
from worker.access_log.spans import Span, size

LOG = "0" * 32


def batch(first: int, last: int, *, base: int = 1, absent: Sequence[Span] = ()) -> CheckedBatch:
    return CheckedBatch(LOG, "node", base, Span(first, last), list(absent), [], [])


def test_batches_in_order_move_the_watermark() -> None:
    progress = advance(advance(Progress([]), [batch(1, 10)]), [batch(11, 20, base=5)])
    assert progress == Progress([Span(1, 20)], base=5, persisted=20, lost=0)


def test_a_batch_that_overtook_another_one_does_not() -> None:
    progress = advance(Progress([]), [batch(11, 20)])
    assert progress.persisted == 0
    assert advance(progress, [batch(1, 10)]).persisted == 20


def test_what_a_node_can_not_send_any_more_is_lost_once() -> None:
    progress = advance(Progress([]), [batch(1, 10)])
    for _ in range(3):
        progress = advance(progress, [batch(16, 20, base=16)])
    assert progress == Progress([Span(1, 20)], base=16, persisted=20, lost=5)
    # An older batch, sent again, takes nothing back.
    assert advance(progress, [batch(1, 10)]) == progress


def test_what_a_batch_leaves_out_is_lost_once() -> None:
    leaves_out = batch(1, 10, absent=[Span(4, 5)])
    progress = advance(advance(Progress([]), [leaves_out]), [leaves_out, batch(11, 12)])
    assert progress == Progress([Span(1, 12)], persisted=12, lost=2)


def test_what_another_batch_brought_is_not_lost() -> None:
    progress = advance(Progress([]), [batch(1, 10, absent=[Span(4, 5)]), batch(4, 5), batch(11, 11, base=11)])
    assert progress.lost == 0
    assert progress.persisted == 11


def test_an_empty_batch_only_says_what_is_lost() -> None:
    progress = advance(advance(Progress([]), [batch(1, 10)]), [batch(101, 100, base=101)])
    assert progress == Progress([Span(1, 100)], base=101, persisted=100, lost=90)


def test_what_comes_late_is_not_lost() -> None:
    progress = advance(Progress([]), [batch(11, 20, base=11)])
    assert progress.lost == 10
    assert found_again(progress, 10).lost == 0
    assert found_again(progress, 11).lost == 0


@given(st.lists(st.integers(1, 8), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_gives_the_same(sizes: list[int], random: object) -> None:
    shuffle = getattr(random, "shuffle", None)
    assert shuffle is not None
    batches: list[CheckedBatch] = []
    first = 1
    for count in sizes:
        batches.append(batch(first, first + count - 1))
        first += count
    sent = [*batches, *batches[::2]]
    shuffle(sent)
    progress = Progress([])
    for one in sent:
        before = progress
        progress = advance(progress, [one])
        assert progress.persisted >= before.persisted
        assert size(progress.settled) >= size(before.settled)
    assert progress == Progress([Span(1, first - 1)], persisted=first - 1)


@pytest.mark.parametrize("huge", [2**44 - 1])
def test_huge_gaps_cost_nothing(huge: int) -> None:
    assert advance(Progress([]), [batch(huge, huge, base=huge)]).lost == huge - 1
