"""What every step of a rotation is: it counts what is still under an older key, and brings it under the newest."""

from collections.abc import Callable
from typing import Protocol

import msgspec

Tell = Callable[[str], None]
"""Takes one line of progress, without any secret."""


class Count(msgspec.Struct, frozen=True):
    """What a step finds. `older`: opens or verifies under a configured key that is not the newest one.

    `broken`: opens under none of the configured keys. No rotation can help it, and no key has to be kept for it.
    """

    total: int = 0
    older: int = 0
    broken: int = 0


class Step(Protocol):
    """One kind of thing that is kept under a key. Everything here may be repeated, also by two processes at once.

    Raises what SQLAlchemy raises, and one of `link.LINK_ERRORS` where it touches Redis.
    """

    @property
    def variable(self) -> str:
        """The setting whose key it is about."""
        ...

    @property
    def what(self) -> str:
        """What it looks after, in words."""
        ...

    async def count(self) -> Count:
        """How much there is, and how much of it is under older keys; changes nothing."""
        ...

    async def run(self, tell: Tell) -> int:
        """Bring all of it under the newest key, in bounded batches that are each committed; how many were changed."""
        ...
