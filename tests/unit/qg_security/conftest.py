"""Fixtures of the security tests."""

import bcrypt
import pytest

from qg_security import passwords

_QUICK = bcrypt.hashpw(b"nobody", bcrypt.gensalt(4))


@pytest.fixture(autouse=True)
def quick_unknown_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks that have nothing to compare with cost little here, but where their cost is what is tested."""
    monkeypatch.setattr(passwords, "_UNKNOWN_HASH", _QUICK)
