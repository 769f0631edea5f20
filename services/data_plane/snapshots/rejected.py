"""Which snapshots could not be taken, why, and when to try again."""

import time
from collections.abc import Callable, Container

import msgspec

from data_plane.snapshots.failures import FilesFailed
from qg_bundle.rejections import BundleRejected
from qg_telemetry.events import Observe, SnapshotFilesFailed, SnapshotRejected

RETRY_FIRST_S = 1.0
RETRY_MAX_S = 8.0
DETAIL_LENGTH_MAX = 300


class Refusal(msgspec.Struct, frozen=True):
    """`number` is what Redis said was there; `again_at` is monotonic; `wanted` names what should be put again."""

    number: int
    failures: int
    again_at: float
    text: str
    wanted: tuple[str, ...]


class Refusals:
    """By endpoint id. Tells each thing once, not with every attempt."""

    def __init__(self, observe: Observe, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._observe = observe
        self._monotonic = monotonic
        self._refusals: dict[str, Refusal] = {}

    def add(self, endpoint_id: str, number: int, error: BundleRejected | FilesFailed) -> bool:
        """An attempt failed; whether that is news."""
        before = self._refusals.get(endpoint_id)
        failures = before.failures + 1 if before is not None and before.number == number else 1
        delay_s = min(RETRY_MAX_S, RETRY_FIRST_S * 2 ** (failures - 1))
        wanted = error.wanted if isinstance(error, BundleRejected) else ()
        text = f"{error.reason}: {error}" if isinstance(error, FilesFailed) else str(error)
        text = text[:DETAIL_LENGTH_MAX]
        self._refusals[endpoint_id] = Refusal(number, failures, self._monotonic() + delay_s, text, wanted)
        if before is not None and before.text == text:
            return False
        if isinstance(error, BundleRejected):
            event = SnapshotRejected(
                reason=error.reason.value, detail=error.detail[:DETAIL_LENGTH_MAX], endpoint_id=endpoint_id
            )
            self._observe(event)
        else:
            self._observe(SnapshotFilesFailed(reason=error.reason, detail=text, endpoint_id=endpoint_id))
        return True

    def clear(self, endpoint_id: str) -> bool:
        """All is well with this one; whether it wasn't."""
        return self._refusals.pop(endpoint_id, None) is not None

    def clear_others(self, endpoint_ids: Container[str]) -> bool:
        """Nothing else can be taken any more; whether something else was refused."""
        others = [endpoint_id for endpoint_id in self._refusals if endpoint_id not in endpoint_ids]
        for endpoint_id in others:
            del self._refusals[endpoint_id]
        return bool(others)

    def waits(self, endpoint_id: str, number: int) -> bool:
        """Whether the same attempt failed a moment ago."""
        refusal = self._refusals.get(endpoint_id)
        return refusal is not None and refusal.number == number and self._monotonic() < refusal.again_at

    @property
    def due(self) -> bool:
        """Whether an attempt is to be made again."""
        now = self._monotonic()
        return any(refusal.again_at <= now for refusal in self._refusals.values())

    @property
    def wanted(self) -> tuple[str, ...]:
        """What should be put again."""
        return tuple(name for refusal in self._refusals.values() for name in refusal.wanted)

    @property
    def last_error(self) -> str | None:
        """One of them, null when there is none."""
        return next((f"snapshot: {refusal.text}" for refusal in self._refusals.values()), None)

    def __len__(self) -> int:
        return len(self._refusals)
