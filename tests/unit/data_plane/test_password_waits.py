"""Who waits for a password check takes neither all places of the node nor, from one address, the whole queue."""

import contextlib

import pytest

from data_plane.requests.password_waits import PasswordWaits
from qg_core.errors import SignInBusy


def test_all_waiting_requests_together_are_bounded() -> None:
    waits = PasswordWaits(waiting_max=3, checks_max=10, checks_per_network_max=10)
    with contextlib.ExitStack() as places:
        for _ in range(3):
            places.enter_context(waits.place("192.0.2.1", b"same"))
        with pytest.raises(SignInBusy) as caught, waits.place("192.0.2.2", b"other"):
            pass
        assert caught.value.headers == {"Retry-After": "1"}
    with waits.place("192.0.2.2", b"other"):
        pass


def test_one_address_tries_few_passwords_at_once_and_leaves_the_others_alone() -> None:
    waits = PasswordWaits(waiting_max=100, checks_max=10, checks_per_network_max=2)
    with contextlib.ExitStack() as places:
        for presented in (b"a", b"b", b"b", b"a"):
            places.enter_context(waits.place("192.0.2.1", presented))
        with pytest.raises(SignInBusy), waits.place("192.0.2.1", b"c"):
            pass
        with waits.place("192.0.2.2", b"c"):
            pass
    with waits.place("192.0.2.1", b"c"):
        pass


def test_many_addresses_together_leave_a_part_of_the_queue() -> None:
    waits = PasswordWaits(waiting_max=100, checks_max=3, checks_per_network_max=2)
    with contextlib.ExitStack() as places:
        for number in range(3):
            places.enter_context(waits.place(f"192.0.2.{number}", b"a"))
        with pytest.raises(SignInBusy), waits.place("192.0.2.9", b"a"):
            pass
        places.enter_context(waits.place("192.0.2.1", b"a"))  # shares a check that is under way
    with waits.place("192.0.2.9", b"a"):
        pass


def test_places_come_back_whatever_happened() -> None:
    waits = PasswordWaits(waiting_max=1, checks_max=1, checks_per_network_max=1)
    for _ in range(3):
        with contextlib.suppress(ValueError), waits.place("192.0.2.1", b"a"):
            raise ValueError
    assert (waits._waiting, waits._checks) == (0, 0)
    assert waits._by_network == {}
