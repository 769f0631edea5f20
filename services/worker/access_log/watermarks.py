"""How far each log is stored, said to the nodes through Redis: they drop nothing before it stands there, tagged.

A watermark never moves back: two workers may come here in another order than they committed.
"""

from collections.abc import Mapping

import msgspec
from redis.asyncio import Redis

from qg_bundle import keys
from qg_bundle.access.codec import PersistedRefused, persisted_value, read_persisted
from qg_core.signatures import Tagger

TRIES_MAX = 3
LOGS_PER_CALL = 500

# Triplets of log id, the value that was seen ('' for none) and the new one; whatever changed meanwhile is left alone.
_REPLACE = """
local left = {}
for i = 1, #ARGV, 3 do
  local found = redis.call('HGET', KEYS[1], ARGV[i]) or ''
  if found == ARGV[i + 1] then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
  else
    left[#left + 1] = ARGV[i]
  end
end
return left
"""


class Published(msgspec.Struct, frozen=True):
    """What was put: `moved` logs had a smaller watermark or none, `altered` one that no worker wrote."""

    moved: int = 0
    missing: int = 0
    altered: int = 0


class Watermarks:
    """The hash of watermarks. `tags` are keyed for `codec.PERSISTED_CONTEXT`."""

    def __init__(self, redis: Redis, tags: Tagger) -> None:
        self._redis = redis
        self._tags = tags

    async def publish(self, persisted: Mapping[str, int]) -> Published:
        """Say how far these logs are stored (log id -> sequence). Raises one of `link.LINK_ERRORS`."""
        logs = sorted(persisted)
        moved = missing = altered = 0
        for start in range(0, len(logs), LOGS_PER_CALL):
            left = {log_id: persisted[log_id] for log_id in logs[start : start + LOGS_PER_CALL]}
            for _ in range(TRIES_MAX):
                if not left:
                    break
                left, some = await self._publish_some(left)
                moved, missing, altered = moved + some.moved, missing + some.missing, altered + some.altered
        return Published(moved, missing, altered)

    async def _publish_some(self, persisted: dict[str, int]) -> tuple[dict[str, int], Published]:
        """One try; the logs whose watermark changed under our hands, and what was put."""
        logs = list(persisted)
        found = await self._redis.execute_command("HMGET", keys.ACCESS_PERSISTED, *logs)  # type: ignore[no-untyped-call]  # redis-py: untyped
        seen: dict[str, bytes | None] = dict(zip(logs, found, strict=True))
        triplets: list[str | bytes] = []
        kinds: dict[str, str] = {}
        for log_id, value in seen.items():
            kind = self._kind(log_id, value, persisted[log_id])
            if kind is not None:
                kinds[log_id] = kind
                triplets += [log_id, value or b"", persisted_value(self._tags, log_id, persisted[log_id])]
        if not triplets:
            return {}, Published()
        answer = await self._redis.execute_command("EVAL", _REPLACE, 1, keys.ACCESS_PERSISTED, *triplets)  # type: ignore[no-untyped-call]  # redis-py: untyped
        left = {log_id.decode(): persisted[log_id.decode()] for log_id in answer}
        put = [kind for log_id, kind in kinds.items() if log_id not in left]
        return left, Published(put.count("moved"), put.count("missing"), put.count("altered"))

    def _kind(self, log_id: str, value: bytes | None, sequence: int) -> str | None:
        """Why the watermark must be put, null when it says as much already."""
        if value is None:
            return "missing"
        try:
            return "moved" if read_persisted(self._tags, log_id, value) < sequence else None
        except PersistedRefused:
            return "altered"
