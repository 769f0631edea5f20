"""How far each log is stored, said to the nodes through Redis: they drop nothing before it stands there, tagged.

A watermark never moves back: two workers may come here in another order than they committed.
"""

import enum
from collections.abc import Mapping

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from qg_bundle.access.codec import PersistedRefused, persisted_value, read_persisted
from qg_bundle.access.persisted import (
    Replacement,
    clear_unless_watermarks,
    read_watermarks,
    replace_watermarks,
)
from qg_core.signatures import Tagger

TRIES_MAX = 3
LOGS_PER_CALL = 500


class Put(enum.Enum):
    """Why a watermark was put."""

    MOVED = enum.auto()
    """A smaller one was there."""
    MISSING = enum.auto()
    ALTERED = enum.auto()
    """One was there that no worker wrote."""


class Watermarks:
    """The hash of watermarks. `tags` are keyed for `ACCESS_PERSISTED_CONTEXT`."""

    def __init__(self, redis: Redis, tags: Tagger) -> None:
        self._redis = redis
        self._tags = tags

    async def publish(self, persisted: Mapping[str, int]) -> dict[str, Put]:
        """Say how far these logs are stored (log id -> sequence); those that had to be put, and why.

        Raises one of `link.LINK_ERRORS`.
        """
        logs = sorted(persisted)
        put: dict[str, Put] = {}
        for start in range(0, len(logs), LOGS_PER_CALL):
            left = {log_id: persisted[log_id] for log_id in logs[start : start + LOGS_PER_CALL]}
            for _ in range(TRIES_MAX):
                if not left:
                    break
                left, some = await self._publish_some(left)
                put |= some
        return put

    async def _publish_some(self, persisted: dict[str, int]) -> tuple[dict[str, int], dict[str, Put]]:
        """One try; the logs whose watermark changed under our hands, and what was put."""
        try:
            seen = await read_watermarks(self._redis, list(persisted))
        except ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            await clear_unless_watermarks(self._redis)
            return persisted, {}
        put = {
            log_id: reason
            for log_id, value in seen.items()
            if (reason := self._reason(log_id, value, persisted[log_id])) is not None
        }
        if not put:
            return {}, {}
        left = await replace_watermarks(
            self._redis,
            [
                Replacement(log_id, seen[log_id], persisted_value(self._tags, log_id, persisted[log_id]))
                for log_id in put
            ],
        )
        return {log_id: persisted[log_id] for log_id in left}, {each: put[each] for each in put.keys() - left}

    def _reason(self, log_id: str, value: bytes, sequence: int) -> Put | None:
        """Why the watermark must be put, null when it says as much already."""
        if not value:
            return Put.MISSING
        try:
            return Put.MOVED if read_persisted(self._tags, log_id, value) < sequence else None
        except PersistedRefused:
            return Put.ALTERED
