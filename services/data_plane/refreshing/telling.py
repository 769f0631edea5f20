"""What a refresher has to say, as events: each thing once, not with every look."""

from data_plane.catalogs.catalog import Catalog
from data_plane.refreshing.condition import Condition
from qg_bundle.rejections import BundleRejected
from qg_core.nodes import NodeState
from qg_telemetry.events import (
    CatalogRejected,
    CatalogSwapped,
    NodeStateChanged,
    Observe,
    RedisFound,
    RedisLost,
    SpecsUnusable,
    UnforeseenError,
)

SUBJECTS_SHOWN_MAX = 20
DETAIL_LENGTH_MAX = 300


class Telling:
    """Each method says whether it was news."""

    def __init__(self, observe: Observe, condition: Condition) -> None:
        self._observe = observe
        self._condition = condition
        self._rejected = ("", "")
        self._state = NodeState.STARTING

    def rejected(self, rejected: BundleRejected, revision: int) -> bool:
        """Something did not verify or is missing."""
        self._condition.rejected = rejected
        told = (rejected.reason.value, rejected.detail)
        if told == self._rejected:
            return False
        self._rejected = told
        self._observe(CatalogRejected(reason=told[0], detail=told[1], revision=revision))
        return True

    def redis_lost(self, error: Exception) -> bool:
        """Redis did not answer."""
        kind, detail = type(error).__name__, (str(error).splitlines() or [""])[0][:DETAIL_LENGTH_MAX]
        if not self._condition.redis_lost(f"{kind}: {detail}"):
            return False
        self._observe(RedisLost(error=kind, detail=detail))
        return True

    def redis_found(self) -> bool:
        """Redis answered."""
        away_s = self._condition.redis_found()
        if away_s is None:
            return False
        self._observe(RedisFound(away_s=away_s))
        return True

    def unforeseen(self, error: Exception) -> None:
        """Nobody foresaw this."""
        self._observe(UnforeseenError.of("refresh", error))

    def swapped(self, catalog: Catalog, previous: int, source: str, build_ms: float) -> None:
        """Another catalog is served."""
        self._observe(
            CatalogSwapped(
                revision=catalog.revision,
                previous=previous,
                endpoints=len(catalog.routes),
                unusable=len(catalog.unusable),
                source=source,
                build_ms=build_ms,
            )
        )
        if not catalog.unusable:
            return
        first = catalog.unusable[0]
        self._observe(
            SpecsUnusable(
                revision=catalog.revision,
                total=len(catalog.unusable),
                subjects=tuple(
                    f"{item.subject.kind}:{item.subject.id}" for item in catalog.unusable[:SUBJECTS_SHOWN_MAX]
                ),
                detail=f"{first.reason}: {first.detail}"[:DETAIL_LENGTH_MAX],
            )
        )

    def state(self, state: NodeState, revision: int) -> bool:
        """The node's own view of itself."""
        if state is self._state:
            return False
        previous, self._state = self._state, state
        self._observe(
            NodeStateChanged(
                state=state.value,
                previous=previous.value,
                revision=revision,
                last_error=self._condition.last_error,
            )
        )
        return True
