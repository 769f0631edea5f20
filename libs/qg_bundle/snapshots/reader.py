"""Reading snapshots from Redis: bounded in bytes and time; headers are handed out verified.

Pieces are handed out as they are: only a whole encoding can be compared with its digest. Every call may raise one of
`link.LINK_ERRORS`, and `BundleRejected` where it says so.
"""

from collections.abc import Sequence

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from qg_bundle import keys
from qg_bundle.limits import HEAD_BYTES_MAX
from qg_bundle.rejections import Reason
from qg_bundle.snapshots.codec import HEADER_BYTES_MAX, open_header, rejected_snapshot, retagged_header
from qg_core.signatures import Tagger
from qg_core.snapshots import ID, NUMBER_MAX, PIECE_BYTES, SnapshotHeader, piece_size

NUMBERS_MAX = 20_000
"""Endpoints whose numbers are read."""

_ID_LENGTH = 36
_NUMBERS_PER_READ_MAX = 500

# Filtered inside Redis: a member may be as long as a whole value, and is then never sent.
_NUMBERS = """
local found = redis.pcall('ZREVRANGE', KEYS[1], 0, tonumber(ARGV[1]) - 1, 'WITHSCORES')
if found['err'] then
  return {}
end
local short = {}
for index = 1, #found, 2 do
  if #found[index] == tonumber(ARGV[2]) then
    short[#short + 1] = found[index]
    short[#short + 1] = found[index + 1]
  end
end
return short
"""


class SealedHeader(msgspec.Struct, frozen=True):
    """A verified header and the very bytes that were verified, to be stored and verified again later."""

    header: SnapshotHeader
    body: bytes


class SnapshotReader:
    """Reads as a data plane, or as a worker that looks after what it put."""

    def __init__(self, redis: Redis, tags: Tagger, gateway_id: str) -> None:
        self._redis = redis
        self._tags = tags
        self._gateway_id = gateway_id

    async def version(self) -> bytes:
        """Another value after every change; empty when nothing was put since Redis was emptied."""
        return await self._bytes(keys.SNAPSHOTS_VERSION, HEAD_BYTES_MAX)

    async def numbers(self) -> dict[str, int]:
        """The number of each endpoint's newest snapshot, at most `NUMBERS_MAX`. Unsigned: only a reason to look."""
        found = await self._redis.execute_command(  # type: ignore[no-untyped-call]  # redis-py: untyped
            "EVAL", _NUMBERS, 1, keys.SNAPSHOT_NUMBERS, NUMBERS_MAX, _ID_LENGTH
        )
        if not isinstance(found, list):
            raise RedisError("Redis answered something else than a list of members")
        pairs = zip(found[::2], found[1::2], strict=True)
        named = ((member.decode("ascii", "replace"), _number(float(score))) for member, score in pairs)
        return {name: number for name, number in named if number is not None and ID.fullmatch(name)}

    async def numbers_of(self, endpoint_ids: Sequence[str]) -> dict[str, int]:
        """As `numbers`, of these endpoints alone."""
        numbers: dict[str, int] = {}
        for start in range(0, len(endpoint_ids), _NUMBERS_PER_READ_MAX):
            batch = endpoint_ids[start : start + _NUMBERS_PER_READ_MAX]
            try:
                scores = await self._redis.zmscore(keys.SNAPSHOT_NUMBERS, list(batch))
            except ResponseError as error:
                if "WRONGTYPE" not in str(error):
                    raise
                return {}
            found = ((name, _number(score)) for name, score in zip(batch, scores, strict=True))
            numbers.update((name, number) for name, number in found if number is not None)
        return numbers

    async def header(self, endpoint_id: str) -> SealedHeader:
        """The verified header of an endpoint's newest snapshot. Raises `BundleRejected`."""
        body = await self._bytes(keys.snapshot(endpoint_id), HEADER_BYTES_MAX)
        return self.open(endpoint_id, body)

    def open(self, endpoint_id: str, body: bytes) -> SealedHeader:
        """Verify a sealed header, wherever it was kept. Raises `BundleRejected`."""
        return SealedHeader(open_header(self._tags, self._gateway_id, endpoint_id, body), body)

    def under_newest_key(self, sealed: SealedHeader) -> bytes:
        """A verified header as it is to be kept: an older key that tagged it may be gone when it is read again."""
        return retagged_header(self._tags, self._gateway_id, sealed.header.endpoint_id, sealed.body)

    async def piece(self, header: SnapshotHeader, encoding: str, number: int) -> bytes:
        """The `number`th piece of an encoding, of the size that it should have. Raises `BundleRejected`."""
        body = await self._bytes(keys.snapshot_piece(header.snapshot_id, encoding, number), PIECE_BYTES)
        if len(body) != piece_size(header.encodings[encoding], number):
            reason = Reason.DIGEST_MISMATCH if body else Reason.MISSING
            raise rejected_snapshot(reason, header.endpoint_id, f"piece {number} of {encoding} has {len(body)} bytes")
        return body

    async def _bytes(self, key: str, bytes_max: int) -> bytes:
        """A value cut one byte beyond its limit, so that a larger one shows; absent and of another type: empty."""
        try:
            found = await self._redis.getrange(key, 0, bytes_max)
        except ResponseError as error:
            if "WRONGTYPE" in str(error):
                return b""
            raise
        if not isinstance(found, bytes):
            raise RedisError(f"Redis answered a {type(found).__name__} where bytes were asked for")
        return found


def _number(score: float | None) -> int | None:
    """A score that may be a snapshot's number."""
    return int(score) if score is not None and 0 < score <= NUMBER_MAX else None
