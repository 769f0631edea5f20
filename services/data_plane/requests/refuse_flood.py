"""Failed sign-ins are counted per address, and per claimed credential and address; too many are answered with 429.

Nobody can lock out somebody else:

- A credential that was verified before is served from the verified cache; it never gets here.
- API keys and bearer tokens can't be guessed, so they are always checked (microseconds for one that was never issued);
  the limit only turns the 401 of a flood into a 429.
- Passwords can be guessed and cost a bcrypt, so `basic` is refused before the check. The count of a user name is kept
  per address: failures elsewhere don't touch this address.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from qg_core.client_address import network_of
from qg_core.errors import SignInLimited

TABLE_ENTRIES_MAX = 10_000
"""Entries of each table. The least recently failed goes first: flooding one table never empties the other."""


class FloodLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many failures within `window_s` seconds are answered with 401 before 429 begins."""

    window_s: int = 300
    passwords_per_credential_max: int = 10
    passwords_per_address_max: int = 50
    forgeries_per_address_max: int = 1_000


class _Counts:
    """Failures per key within fixed windows that begin with the first failure; a bounded LRU."""

    def __init__(self, window_s: int, now: Callable[[], float]) -> None:
        self._window_s = window_s
        self._now = now
        self._entries: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def add(self, key: tuple[str, str]) -> None:
        now = self._now()
        ends, count = self._entries.get(key, (0.0, 0))
        if ends <= now:
            ends, count = now + self._window_s, 0
        self._entries[key] = (ends, count + 1)
        self._entries.move_to_end(key)
        if len(self._entries) > TABLE_ENTRIES_MAX:
            self._entries.popitem(last=False)

    def left_s(self, key: tuple[str, str], limit: int) -> int:
        """Whole seconds until `key` may fail again; 0 while it is below `limit`."""
        ends, count = self._entries.get(key, (0.0, 0))
        left = ends - self._now()
        return int(left) + 1 if count >= limit and left > 0 else 0


class RefuseFlood:
    """The counters of one node."""

    def __init__(self, limits: FloodLimits, now: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._credentials = _Counts(limits.window_s, now)
        self._addresses = _Counts(limits.window_s, now)
        self._forgers = _Counts(limits.window_s, now)

    def check_password(self, method_id: str, claimed: str, address: str) -> None:
        """Before a password is checked. Raises `SignInLimited` with the seconds to wait."""
        network = network_of(address)
        left_s = max(
            self._credentials.left_s((f"{method_id}:{claimed}", network), self._limits.passwords_per_credential_max),
            self._addresses.left_s(("", network), self._limits.passwords_per_address_max),
        )
        if left_s:
            raise SignInLimited(retry_after_s=left_s)

    def password_failed(self, method_id: str, claimed: str, address: str) -> None:
        """A password, or its user name, was wrong."""
        network = network_of(address)
        self._credentials.add((f"{method_id}:{claimed}", network))
        self._addresses.add(("", network))

    def forgery_failed(self, address: str) -> None:
        """A key or token was refused. Raises `SignInLimited` in place of the 401 when it was one too many."""
        key = ("", network_of(address))
        left_s = self._forgers.left_s(key, self._limits.forgeries_per_address_max)
        if left_s:
            raise SignInLimited(retry_after_s=left_s)
        self._forgers.add(key)
