"""One run of a rotation: every step in order, then a count of what is left. One that was cut off is just run again."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from control_plane.rotation.steps import Count, Step, Tell


class Left(msgspec.Struct, frozen=True):
    """What one step still finds."""

    variable: str
    what: str
    count: Count


class Rotation:
    """Each call raises what the steps raise; what was done until then stays done."""

    def __init__(self, steps: Sequence[Step], check_readers: Callable[[], Awaitable[None]]) -> None:
        self._steps = steps
        self._check_readers = check_readers

    async def run(self, tell: Tell, *, regardless: bool = False) -> int:
        """Every step that has something to do; how many things were changed.

        Raises `ReadersMissing` before anything is changed, unless `regardless`.
        """
        if not regardless:
            await self._check_readers()
        changed = 0
        for step in self._steps:
            count = await step.count()
            if count.older or count.broken:
                changed += await step.run(tell)
        return changed

    async def left(self) -> list[Left]:
        """What each step finds now. The later ones are counted after the earlier ones, in the order of the run."""
        return [Left(step.variable, step.what, await step.count()) for step in self._steps]


def needed(found: Sequence[Left]) -> list[str]:
    """The settings whose older keys are still needed, each once."""
    return list(dict.fromkeys(left.variable for left in found if left.count.older))


def described(left: Left) -> str:
    """One line: what there is, and how much of it is not under the newest key."""
    count = left.count
    if left.what == "data planes":
        return f"{left.what}: {count.total} report, {count.older} of them behind or without the newest keys"
    broken = f", {count.broken} under none of the keys" if count.broken else ""
    return f"{left.variable}: {left.what}: {count.older} of {count.total} not under the newest key{broken}"
