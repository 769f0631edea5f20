"""How far each log is stored, said to the nodes through Redis: they drop nothing before it stands there, tagged.

A watermark never moves back: two workers may come here in another order than they committed.
"""

from collections.abc import Mapping, Sequence

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from qg_bundle import keys
from qg_bundle.access.codec import PERSISTED_BYTES_MAX, PersistedRefused, persisted_value, read_persisted
from qg_bundle.access.reader import clear_unless_hash
from qg_core.signatures import Tagger

TRIES_MAX = 3
LOGS_PER_CALL = 500

# What is too long for a watermark is never sent: a mark that does not verify stands for it.
_FOUND = """
local function watermark(log)
  local length = redis.call('HSTRLEN', KEYS[1], log)
  if length > tonumber(ARGV[1]) then
    return 'too long'
  end
  return length > 0 and redis.call('HGET', KEYS[1], log) or ''
end
"""

_READ = (
    _FOUND
    + """
local found = {}
for i = 2, #ARGV do
  found[#found + 1] = watermark(ARGV[i])
end
return found
"""
)

# Triplets of log id, the value that was seen ('' for none) and the new one; whatever changed meanwhile is left alone.
_REPLACE = (
    _FOUND
    + """
local left = {}
for i = 2, #ARGV, 3 do
  if watermark(ARGV[i]) == ARGV[i + 1] then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
  else
    left[#left + 1] = ARGV[i]
  end
end
return left
"""
)


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
        try:
            seen = await self._read(list(persisted))
        except ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            await clear_unless_hash(self._redis)
            return persisted, Published()
        triplets: list[str | bytes] = []
        kinds: dict[str, str] = {}
        for log_id, value in seen.items():
            kind = self._kind(log_id, value, persisted[log_id])
            if kind is not None:
                kinds[log_id] = kind
                triplets += [log_id, value or b"", persisted_value(self._tags, log_id, persisted[log_id])]
        if not triplets:
            return {}, Published()
        answer = await self._run(_REPLACE, triplets)
        left = {log_id.decode(): persisted[log_id.decode()] for log_id in answer}
        put = [kind for log_id, kind in kinds.items() if log_id not in left]
        return left, Published(put.count("moved"), put.count("missing"), put.count("altered"))

    async def _read(self, logs: list[str]) -> dict[str, bytes | None]:
        return {log_id: value or None for log_id, value in zip(logs, await self._run(_READ, logs), strict=True)}

    async def _run(self, script: str, arguments: Sequence[str | bytes]) -> list[bytes]:
        found: list[bytes] = await self._redis.execute_command(  # type: ignore[no-untyped-call]  # redis-py: untyped
            "EVAL", script, 1, keys.ACCESS_PERSISTED, PERSISTED_BYTES_MAX, *arguments
        )
        return found

    def _kind(self, log_id: str, value: bytes | None, sequence: int) -> str | None:
        """Why the watermark must be put, null when it says as much already."""
        if value is None:
            return "missing"
        try:
            return "moved" if read_persisted(self._tags, log_id, value) < sequence else None
        except PersistedRefused:
            return "altered"
