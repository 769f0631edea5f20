"""What a session needs of the server it belongs to."""

from __future__ import annotations

from typing import Protocol

from qg_standin.accounts import Accounts
from qg_standin.faults import Faults
from qg_standin.profile import Profile
from qg_standin.session_view import SessionView, Surroundings
from qg_standin.sources import Shared


class Host(Protocol):
    """The server, as its sessions see it."""

    profile: Profile
    accounts: Accounts
    faults: Faults
    shared: Shared
    service_name: str

    def admits(self) -> bool:
        """False when the limit of connections is reached."""

    def number_session(self) -> tuple[int, int]:
        """A new session id and serial number."""

    def surroundings(self, view: SessionView) -> Surroundings: ...
