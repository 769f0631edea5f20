"""The limits of failed sign-ins: bounded, per address, and no way to lock out somebody else."""

import pytest

from data_plane.requests import refuse_flood
from data_plane.requests.refuse_flood import FloodLimits, RefuseFlood
from qg_core.errors import SignInLimited

LIMITS = FloodLimits(
    window_s=60, passwords_per_credential_max=3, passwords_per_address_max=5, forgeries_per_address_max=4
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def fail(flood: RefuseFlood, user: str, address: str, times: int) -> None:
    for _ in range(times):
        flood.check_password("method", user, address)
        flood.password_failed("method", user, address)


def test_a_user_name_is_limited_at_one_address_only() -> None:
    flood = RefuseFlood(LIMITS, Clock())
    fail(flood, "alice", "192.0.2.1", 3)
    with pytest.raises(SignInLimited) as caught:
        flood.check_password("method", "alice", "192.0.2.1")
    assert caught.value.headers["Retry-After"] == "61"
    flood.check_password("method", "bob", "192.0.2.1")
    flood.check_password("method", "alice", "192.0.2.2")
    flood.check_password("other method", "alice", "192.0.2.1")


def test_an_address_is_limited_whatever_the_names() -> None:
    flood = RefuseFlood(LIMITS, Clock())
    for number in range(5):
        fail(flood, f"user{number}", "2001:db8::1", 1)
    with pytest.raises(SignInLimited):
        flood.check_password("method", "new", "2001:db8::2")
    flood.check_password("method", "new", "2001:db8:0:1::2")


def test_the_window_ends() -> None:
    clock = Clock()
    flood = RefuseFlood(LIMITS, clock)
    fail(flood, "alice", "192.0.2.1", 3)
    clock.now += 60
    flood.check_password("method", "alice", "192.0.2.1")
    fail(flood, "alice", "192.0.2.1", 3)
    with pytest.raises(SignInLimited):
        flood.check_password("method", "alice", "192.0.2.1")


def test_forgeries_turn_into_429_and_back() -> None:
    clock = Clock()
    flood = RefuseFlood(LIMITS, clock)
    for _ in range(4):
        flood.forgery_failed("192.0.2.1")
    with pytest.raises(SignInLimited):
        flood.forgery_failed("192.0.2.1")
    flood.forgery_failed("192.0.2.2")
    flood.check_password("method", "alice", "192.0.2.1")
    clock.now += 60
    flood.forgery_failed("192.0.2.1")


def test_the_tables_are_bounded_and_do_not_push_each_other_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refuse_flood, "TABLE_ENTRIES_MAX", 10)
    flood = RefuseFlood(FloodLimits(window_s=60, passwords_per_address_max=100), Clock())
    for number in range(100):
        fail(flood, f"user{number}", "192.0.2.1", 1)
    with pytest.raises(SignInLimited):
        flood.check_password("method", "anybody", "192.0.2.1")
    assert len(flood._credentials._entries) == 10
