"""How far one log is stored, and what of it is lost: arithmetic on what is known and what batches bring."""

from collections.abc import Sequence

import msgspec

from worker.access_log.checking import CheckedBatch
from worker.access_log.spans import Span, Spans, difference, size, union, without_hole_up_to


class Progress(msgspec.Struct, frozen=True):
    """One log. `settled` are the numbers that are stored, lie in the dead letters, or are given up as lost.

    `base` is the smallest number that the node can still send, `persisted` the largest one up to which all are settled,
    `lost` how many were given up.
    """

    settled: Spans
    base: int = 1
    persisted: int = 0
    lost: int = 0


def advance(known: Progress, batches: Sequence[CheckedBatch]) -> Progress:
    """What is known of a log after these batches of it are stored, in whatever order and however often they come.

    A number is lost when no batch brought it and it is below `base`, or a batch left it out between its first and its
    last: lines ascend, so the node has nothing there. Each is counted once, since it is settled from then on.
    """
    base = max(known.base, *(batch.base for batch in batches))
    left_out = union(span for batch in batches for span in batch.absent)
    came = union(span for batch in batches for span in difference([batch.settled], batch.absent))
    given_up = union([*left_out, Span(1, base - 1)])
    lost = difference(difference(given_up, came), known.settled)
    settled = union([*known.settled, *came, *given_up])
    return Progress(
        settled=settled,
        base=base,
        persisted=max(known.persisted, without_hole_up_to(settled)),
        lost=known.lost + size(lost),
    )


def found_again(progress: Progress, events: int) -> Progress:
    """`events` that were given up have come after all, in a batch that was overtaken by later ones."""
    return Progress(
        settled=progress.settled,
        base=progress.base,
        persisted=progress.persisted,
        lost=max(0, progress.lost - events),
    )
