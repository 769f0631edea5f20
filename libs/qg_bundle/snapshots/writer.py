"""Putting snapshots into Redis: the pieces first, then in one step the header that leads to them.

Every call may raise one of `link.LINK_ERRORS` and may be repeated, also by two workers at once.
"""

from collections.abc import AsyncIterable, Iterable

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from qg_bundle import keys
from qg_core.snapshots import SnapshotHeader, piece_size

PIECE_TTL_S = 3_600
"""Until their header is there, pieces expire: a writer that died leaves nothing behind."""

REPLACED_TTL_S = 120
"""How long the pieces of a replaced snapshot stay, for nodes that are fetching them."""

_CHECKS_PER_READ_MAX = 200

_SET, _NEWER, _INCOMPLETE = 1, 0, -1

# Anything found that we did not write gives way. A counter that is lost begins anew at the time in milliseconds, so
# that nobody who remembers it finds the value from before.
_BUMP = """
local function bump(key)
  if redis.call('EXISTS', key) == 0 or type(redis.pcall('INCR', key)) ~= 'number' then
    local time = redis.call('TIME')
    redis.call('SET', key, string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
  end
end
local function each_piece(parts, act)
  local id = string.match(parts, '^[0-9a-f-]+')
  if not id or #parts > 256 then
    return
  end
  for encoding, count in string.gmatch(parts, ' (%w+):(%d+)') do
    for number = 0, math.min(tonumber(count), 10000) - 1 do
      act(id .. ':' .. encoding .. ':' .. string.format('%.0f', number))
    end
  end
end
local function expire_old(key, prefix, seconds, except)
  local parts = redis.pcall('GET', key)
  if type(parts) == 'string' and string.match(parts, '^[0-9a-f-]+') ~= except then
    each_piece(parts, function(name) redis.call('EXPIRE', prefix .. name, seconds) end)
  end
end
local function number_there(key, member)
  local score = redis.pcall('ZSCORE', key, member)
  if type(score) == 'table' then
    redis.call('UNLINK', key)
    return nil
  end
  return score and tonumber(score)
end
"""

# "Larger only" and the switch are one step: several workers may put snapshots of one endpoint at once. The same
# number again is a repetition or a repair of the same snapshot.
_PUT = (
    _BUMP
    + """
local header, parts, numbers, version = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local endpoint, number, sealed, own, prefix = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local there = number_there(numbers, endpoint)
if ARGV[7] ~= '1' and there and there > tonumber(number) then
  return 0
end
local complete = true
each_piece(own, function(name) complete = complete and redis.call('EXISTS', prefix .. name) == 1 end)
if not complete then
  return -1
end
each_piece(own, function(name) redis.call('PERSIST', prefix .. name) end)
expire_old(parts, prefix, ARGV[6], string.match(own, '^[0-9a-f-]+'))
redis.call('SET', header, sealed)
redis.call('SET', parts, own)
redis.call('ZADD', numbers, number, endpoint)
bump(version)
return 1
"""
)

_REMOVE = (
    _BUMP
    + """
local there = number_there(KEYS[3], ARGV[1])
local gone = redis.call('EXISTS', KEYS[1], KEYS[2]) == 0 and not there
if gone then
  return 0
end
expire_old(KEYS[2], ARGV[2], ARGV[3], '')
redis.call('UNLINK', KEYS[1], KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[1])
bump(KEYS[4])
return 1
"""
)

# Unless another worker has just put another snapshot.
_REPLACE_HEADER = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2])
  return 1
end
return 0
"""

Piece = tuple[str, int, bytes]
"""Encoding, number counted from 0, bytes."""


class Expected(msgspec.Struct, frozen=True):
    """A snapshot that should be in Redis, and how long its sealed header is in bytes."""

    header: SnapshotHeader
    sealed_size: int


class SnapshotWriter:
    """Writes as a worker. `sealed` is always what `codec.seal_header` made of `header`."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def put(self, header: SnapshotHeader, sealed: bytes, pieces: AsyncIterable[Piece]) -> bool:
        """Put a snapshot unless a newer one is there (False: then nothing of this one stays).

        Raises `ValueError` unless the pieces are those that the header names, in any order.
        """
        return await self._put(header, sealed, pieces, force=False)

    async def put_again(self, header: SnapshotHeader, sealed: bytes, pieces: AsyncIterable[Piece]) -> None:
        """Put a snapshot over whatever is there: it is altered, incomplete, or newer than anything in Postgres."""
        await self._put(header, sealed, pieces, force=True)

    async def remove(self, endpoint_id: str) -> bool:
        """Take away the snapshot of an endpoint; whether there was one."""
        found = await self._eval(_REMOVE, endpoint_id, endpoint_id, keys.SNAPSHOT_PIECE_PREFIX, REPLACED_TTL_S)
        return bool(found)

    async def replace_header(self, endpoint_id: str, before: bytes, after: bytes) -> bool:
        """Put `after`, the same header tagged again, where `before` still is; whether it was."""
        found = await self._redis.execute_command(  # type: ignore[no-untyped-call]  # redis-py: untyped
            "EVAL", _REPLACE_HEADER, 1, keys.snapshot(endpoint_id), before, after
        )
        return bool(found)

    async def missing(self, expected: Iterable[Expected]) -> list[str]:
        """The ids of the endpoints whose snapshot is not there as it should be, judged by number and sizes.

        Altered bytes of the same size don't show here: nodes find those and ask (`BundleRejected.wanted`).
        """
        missing: list[str] = []
        checks: list[tuple[str, tuple[str, ...], float]] = []
        for item in expected:
            checks += _checks(item)
            if len(checks) >= _CHECKS_PER_READ_MAX:
                missing += await self._failing(checks)
                checks = []
        missing += await self._failing(checks)
        return list(dict.fromkeys(missing))

    async def _put(self, header: SnapshotHeader, sealed: bytes, pieces: AsyncIterable[Piece], *, force: bool) -> bool:
        left = {(name, number) for name, body in header.encodings.items() for number in range(body.pieces)}
        async for encoding, number, body in pieces:
            if (encoding, number) not in left or len(body) != piece_size(header.encodings[encoding], number):
                raise ValueError(f"piece {number} of {encoding} is not one that the header names")
            left.discard((encoding, number))
            await self._redis.set(keys.snapshot_piece(header.snapshot_id, encoding, number), body, ex=PIECE_TTL_S)
        if left:
            raise ValueError(f"{len(left)} pieces that the header names did not come")
        outcome = await self._eval(
            _PUT,
            header.endpoint_id,
            header.endpoint_id,
            header.number,
            sealed,
            _parts(header),
            keys.SNAPSHOT_PIECE_PREFIX,
            REPLACED_TTL_S,
            int(force),
        )
        if outcome == _INCOMPLETE:
            raise RedisError("pieces that were just written are gone")
        if outcome == _NEWER:
            await self._unlink_pieces(header)
        return outcome == _SET

    async def _unlink_pieces(self, header: SnapshotHeader) -> None:
        pipe = self._redis.pipeline(transaction=False)
        for name, body in header.encodings.items():
            for number in range(body.pieces):
                pipe.unlink(keys.snapshot_piece(header.snapshot_id, name, number))
        await pipe.execute()

    async def _failing(self, checks: list[tuple[str, tuple[str, ...], float]]) -> list[str]:
        if not checks:
            return []
        pipe = self._redis.pipeline(transaction=False)
        for _, command, _ in checks:
            pipe.execute_command(*command)
        found = await pipe.execute(raise_on_error=False)
        return [endpoint_id for (endpoint_id, _, wanted), there in zip(checks, found, strict=True) if there != wanted]

    async def _eval(self, script: str, endpoint_id: str, *arguments: str | bytes | int) -> int:
        names = (
            keys.snapshot(endpoint_id),
            keys.snapshot_parts(endpoint_id),
            keys.SNAPSHOT_NUMBERS,
            keys.SNAPSHOTS_VERSION,
        )
        found = await self._redis.execute_command(  # type: ignore[no-untyped-call]  # redis-py: untyped
            "EVAL", script, len(names), *names, *arguments
        )
        return int(found)


def _parts(header: SnapshotHeader) -> str:
    encodings = " ".join(f"{name}:{body.pieces}" for name, body in header.encodings.items())
    return f"{header.snapshot_id} {encodings}"


def _checks(item: Expected) -> Iterable[tuple[str, tuple[str, ...], float]]:
    """(endpoint id, command, what it should answer)."""
    header = item.header
    endpoint_id = header.endpoint_id
    yield endpoint_id, ("ZSCORE", keys.SNAPSHOT_NUMBERS, endpoint_id), float(header.number)
    yield endpoint_id, ("STRLEN", keys.snapshot(endpoint_id)), item.sealed_size
    parts = len(_parts(header))
    yield endpoint_id, ("STRLEN", keys.snapshot_parts(endpoint_id)), parts
    for name, body in header.encodings.items():
        for number in range(body.pieces):
            piece = keys.snapshot_piece(header.snapshot_id, name, number)
            yield endpoint_id, ("STRLEN", piece), piece_size(body, number)
