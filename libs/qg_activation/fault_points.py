"""Named places of a publish where a test may kill the process, to prove that nothing is lost there.

Off unless `QG_FAULT_POINT` names one; refused in production.
"""

import enum
import os
import signal
from collections.abc import Mapping


class FaultPoint(enum.StrEnum):
    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"
    AFTER_SPECS = "after_specs"
    AFTER_DELTAS = "after_deltas"
    AFTER_CHECKPOINT = "after_checkpoint"
    AFTER_HEAD = "after_head"
    BEFORE_HINT = "before_hint"


class FaultPoints:
    """Kills this process (SIGKILL) when it reaches `point` for the `nth` time; with no point it does nothing."""

    def __init__(self, point: FaultPoint | None = None, nth: int = 1) -> None:
        self._point = point
        self._left = nth

    def reach(self, point: FaultPoint) -> None:
        if point is not self._point:
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def fault_points_from(environ: Mapping[str, str]) -> FaultPoints:
    """Read `QG_FAULT_POINT` (`<point>` or `<point>:<nth>`).

    Raises `ValueError` on an unknown point, and on any when `APP_ENV` is `production`.
    """
    named = environ.get("QG_FAULT_POINT", "").strip()
    if not named:
        return FaultPoints()
    if environ.get("APP_ENV", "production").strip().lower() == "production":
        raise ValueError("QG_FAULT_POINT kills the process on purpose and is refused with APP_ENV=production")
    point, _, nth = named.partition(":")
    if point not in set(FaultPoint) or (nth and not (nth.isdecimal() and int(nth) >= 1)):
        raise ValueError(f"QG_FAULT_POINT must be one of {', '.join(FaultPoint)}, with `:<nth>` if not the first time")
    return FaultPoints(FaultPoint(point), int(nth or 1))
