"""Which checkpoints stay."""

from qg_bundle.garbage import CHECKPOINT_AGE_MIN_S, CHECKPOINTS_KEPT_MIN, kept_checkpoints

NOW = 1_000_000.0


def test_the_newest_twenty_stay_however_old() -> None:
    issued = [(revision, 0.0) for revision in range(1, 31)]
    assert kept_checkpoints(issued, NOW) == list(range(30, 10, -1))


def test_all_of_the_last_day_stay() -> None:
    issued = [(revision, NOW - revision) for revision in range(1, 101)]
    assert len(kept_checkpoints(issued, NOW)) == 100


def test_the_rest_goes() -> None:
    old = [(revision, NOW - CHECKPOINT_AGE_MIN_S - 1) for revision in range(1, 50)]
    young = [(revision, NOW) for revision in range(50, 60)]
    kept = kept_checkpoints(old + young, NOW)
    assert len(kept) == CHECKPOINTS_KEPT_MIN
    assert min(kept) == 40
