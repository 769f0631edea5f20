"""Database accounts of the stand-in: names, rights and password verifiers."""

from __future__ import annotations

import os

from qg_standin.logon import Verifier, make_verifier
from qg_standin.session_view import User


class Accounts:
    """Names are upper case, as Oracle keeps them."""

    def __init__(self) -> None:
        self._users: dict[str, tuple[User, Verifier]] = {}
        self._decoy = make_verifier(os.urandom(16).hex())

    def add(self, name: str, password: str, *, can_write: bool = False) -> None:
        """Add an account or change its password."""
        user = User(name.upper(), can_write)
        self._users[user.name] = (user, make_verifier(password))

    def remove(self, name: str) -> None:
        """Existing sessions stay; new sign-ins fail."""
        self._users.pop(name.upper(), None)

    def names(self) -> list[str]:
        return sorted(self._users)

    def find(self, name: str) -> tuple[User | None, Verifier]:
        """The account; for an unknown one a verifier that no password fits, so both look the same."""
        user, verifier = self._users.get(name.strip('"').upper(), (None, self._decoy))
        return user, verifier
