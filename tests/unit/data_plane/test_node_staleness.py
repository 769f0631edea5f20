"""The age of what is served: only signed proof makes it younger, no clock makes it so."""

import pytest

from data_plane.refreshing.staleness import CLOCKS_DIFFER_MAX_S, Staleness
from qg_bundle.rejections import BundleRejected
from qg_core.revisions import Beacon

NOW = 1_800_000_000.0
DAY_S = 86_400.0


class Clock:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


def beacon(head: int, issued_at: float) -> Beacon:
    return Beacon(gateway_id="gw", head=head, issued_at=issued_at)


def test_without_any_proof_it_is_stale() -> None:
    assert Staleness(DAY_S).is_stale(NOW)
    assert Staleness(DAY_S).age_s(NOW) == float("inf")


def test_the_signed_time_of_the_revision_is_a_proof() -> None:
    staleness = Staleness(DAY_S)
    staleness.serves(5, NOW - 100, NOW)
    assert staleness.age_s(NOW) == pytest.approx(100, abs=1)
    assert not staleness.is_stale(NOW)
    assert staleness.is_stale(NOW + DAY_S)


def test_a_beacon_of_the_served_head_is_a_proof() -> None:
    staleness = Staleness(DAY_S)
    staleness.serves(5, NOW - 2 * DAY_S, NOW)
    assert staleness.is_stale(NOW)
    staleness.heard(beacon(5, NOW - 1), NOW)
    assert not staleness.is_stale(NOW)


def test_a_beacon_of_a_newer_head_is_none_until_that_is_served() -> None:
    staleness = Staleness(DAY_S)
    staleness.serves(5, NOW - 2 * DAY_S, NOW)
    staleness.heard(beacon(6, NOW), NOW)
    assert staleness.is_stale(NOW)
    staleness.serves(6, NOW - 2 * DAY_S, NOW)
    assert not staleness.is_stale(NOW)


def test_an_older_beacon_does_not_make_it_older() -> None:
    staleness = Staleness(DAY_S)
    staleness.serves(5, NOW - 10, NOW)
    staleness.heard(beacon(5, NOW - 1_000), NOW)
    assert staleness.age_s(NOW) == pytest.approx(10, abs=1)


def test_a_wall_clock_set_back_does_not_make_it_younger() -> None:
    clock = Clock()
    staleness = Staleness(DAY_S, clock)
    staleness.serves(5, NOW - 100, NOW)
    clock.at += DAY_S
    assert staleness.is_stale(NOW - 10 * DAY_S)
    assert staleness.age_s(NOW - 10 * DAY_S) == pytest.approx(DAY_S + 100)


def test_a_beacon_from_the_future_is_refused() -> None:
    staleness = Staleness(DAY_S)
    staleness.serves(5, NOW - 100, NOW)
    with pytest.raises(BundleRejected, match="from_the_future"):
        staleness.heard(beacon(5, NOW + CLOCKS_DIFFER_MAX_S + 1), NOW)
    staleness.heard(beacon(5, NOW + CLOCKS_DIFFER_MAX_S - 1), NOW)
    assert staleness.age_s(NOW) == pytest.approx(0, abs=1)


def test_a_revision_signed_in_the_future_counts_as_signed_now() -> None:
    staleness = Staleness(DAY_S)
    staleness.serves(5, NOW + 10 * DAY_S, NOW)
    assert staleness.is_stale(NOW + DAY_S + 1)


def test_off_means_never() -> None:
    staleness = Staleness(None)
    staleness.serves(5, NOW - 1_000 * DAY_S, NOW)
    assert not staleness.is_stale(NOW)
