"""Requests that wait for a password check: bounded in all and per address.

A check costs a quarter of a second and waits behind others, so requests with wrong passwords stay for seconds. They
must neither take all places of the node nor fill the queue of checks: from one address not even most of it, and from
many not the part that is left to API keys, which only their holders can have checked.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from qg_core.errors import SignInBusy

RETRY_AFTER_S = 1


class PasswordWaits:
    """`waiting_max` requests at once, with `checks_max` checks, of which `checks_per_network_max` for one network.

    Requests of one network with one and the same credential share one check.
    """

    def __init__(self, *, waiting_max: int, checks_max: int, checks_per_network_max: int) -> None:
        self._waiting_max = waiting_max
        self._checks_max = checks_max
        self._checks_per_network_max = checks_per_network_max
        self._waiting = 0
        self._checks = 0
        self._by_network: dict[str, dict[bytes, int]] = {}

    @contextmanager
    def place(self, network: str, presented: bytes) -> Iterator[None]:
        """One place while the check lasts. Raises `SignInBusy` when there is none."""
        here = self._by_network.get(network, {})
        crowded = len(here) >= self._checks_per_network_max or self._checks >= self._checks_max
        if self._waiting >= self._waiting_max or (crowded and presented not in here):
            raise SignInBusy(retry_after_s=RETRY_AFTER_S)
        self._by_network[network] = here
        self._checks += presented not in here
        here[presented] = here.get(presented, 0) + 1
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            here[presented] -= 1
            if here[presented] == 0:
                del here[presented]
                self._checks -= 1
            if not here:
                del self._by_network[network]
