"""Reading members of sorted sets, bounded in number and in length: a member may be as long as a whole value."""

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

# Filtered inside Redis: what is too long is counted and never sent. A key of another type has no members.
_SHORT_MEMBERS = """
local found = redis.pcall(ARGV[2], KEYS[1], unpack(ARGV, 3))
if found['err'] then
  return {0}
end
local short = {#found}
for _, member in ipairs(found) do
  if #member <= tonumber(ARGV[1]) then
    short[#short + 1] = member
  end
end
return short
"""


class Members(msgspec.Struct, frozen=True):
    """`total` counts the ones that were too long, too; `names` are the others, in order."""

    total: int
    names: list[bytes]


async def newest_members(redis: Redis, key: str, number_max: int, length_max: int) -> Members:
    """Those with the highest scores, the highest first. Raises one of `link.LINK_ERRORS`."""
    return await _run(redis, key, length_max, "ZREVRANGE", 0, number_max - 1)


async def members_up_to(
    redis: Redis, key: str, score: float, length_max: int, *, start: int, number_max: int
) -> Members:
    """Those with a score up to `score`, the lowest first, from the `start`th on. Raises one of `link.LINK_ERRORS`."""
    return await _run(redis, key, length_max, "ZRANGEBYSCORE", "-inf", score, "LIMIT", start, number_max)


async def _run(redis: Redis, key: str, length_max: int, *command: str | float) -> Members:
    found = await redis.execute_command(  # type: ignore[no-untyped-call]  # redis-py: untyped
        "EVAL", _SHORT_MEMBERS, 1, key, length_max, *command
    )
    if not isinstance(found, list) or not found or not isinstance(found[0], int):
        raise RedisError("Redis answered something else than a list of members")
    return Members(found[0], [name for name in found[1:] if isinstance(name, bytes)])
