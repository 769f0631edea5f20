"""Requests that wait for a password check: bounded in all and per address.

A check costs a quarter of a second and waits behind others, so requests with wrong passwords stay for seconds. They
must neither take all places of the node nor fill the queue of checks from one address.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from qg_core.errors import SignInBusy

RETRY_AFTER_S = 1


class PasswordWaits:
    """`waiting_max` requests at once; of one network at most `credentials_per_network_max` different credentials.

    Many requests with one and the same credential share one check, so per network they count once.
    """

    def __init__(self, waiting_max: int, credentials_per_network_max: int) -> None:
        self._waiting_max = waiting_max
        self._credentials_per_network_max = credentials_per_network_max
        self._waiting = 0
        self._by_network: dict[str, dict[bytes, int]] = {}

    @contextmanager
    def place(self, network: str, presented: bytes) -> Iterator[None]:
        """One place while the check lasts. Raises `SignInBusy` when there is none."""
        here = self._by_network.get(network, {})
        crowded = presented not in here and len(here) >= self._credentials_per_network_max
        if crowded or self._waiting >= self._waiting_max:
            raise SignInBusy(retry_after_s=RETRY_AFTER_S)
        self._by_network[network] = here
        here[presented] = here.get(presented, 0) + 1
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            here[presented] -= 1
            if here[presented] == 0:
                del here[presented]
            if not here:
                del self._by_network[network]
