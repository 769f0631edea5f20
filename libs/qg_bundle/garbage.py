"""Removing from Redis what no revision needs any more.

The caller holds the activation lock: nobody puts specs meanwhile, so a spec that is about to be named again is not
taken away under its publisher's hands.
"""

from collections.abc import Collection

import msgspec
from redis.asyncio import Redis

from qg_bundle import keys
from qg_bundle.members import Members, members_up_to

SPEC_AGE_MIN_S = 3_600
CHECKPOINTS_KEPT_MIN = 20
CHECKPOINT_AGE_MIN_S = 86_400

REMOVED_PER_PASS_MAX = 10_000
DIGEST_LENGTH = 64
NUMBER_LENGTH_MAX = 16
_BATCH = 500


class Removed(msgspec.Struct, frozen=True):
    """How much a pass removed."""

    specs: int = 0
    deltas: int = 0
    checkpoints: int = 0


def kept_checkpoints(issued: list[tuple[int, float]], now: float) -> list[int]:
    """Which checkpoints stay, newest first: the newest 20, and all of the last 24 h. `issued` is (revision, Unix s)."""
    newest_first = sorted(issued, reverse=True)
    return [
        revision
        for index, (revision, issued_at) in enumerate(newest_first)
        if index < CHECKPOINTS_KEPT_MIN or issued_at > now - CHECKPOINT_AGE_MIN_S
    ]


async def remove_unused(
    redis: Redis, *, checkpoints_kept: Collection[int], specs_kept: Collection[str], now: float
) -> Removed:
    """Remove checkpoints that are not kept, deltas up to the oldest kept one, and old specs that nothing kept names.

    `specs_kept` must hold every digest that a kept checkpoint or delta names. At most `REMOVED_PER_PASS_MAX` of each
    kind go in one pass. Raises one of `link.LINK_ERRORS`.
    """
    if not checkpoints_kept:
        return Removed()
    oldest = min(checkpoints_kept)
    kept_names = {str(revision).encode() for revision in checkpoints_kept}
    # Not the ones above: another control plane may just be putting a newer one.
    newest = max(checkpoints_kept)
    known = await _members(redis, keys.CHECKPOINT_REVISIONS, newest, NUMBER_LENGTH_MAX, 0, REMOVED_PER_PASS_MAX)
    checkpoints = [name for name in known.names if name not in kept_names and _number(name) < newest]
    await _unlink(redis, keys.CHECKPOINT_REVISIONS, keys.CHECKPOINT_PREFIX, checkpoints)
    old_deltas = await _members(redis, keys.DELTA_REVISIONS, oldest, NUMBER_LENGTH_MAX, 0, REMOVED_PER_PASS_MAX)
    deltas = old_deltas.names
    await _unlink(redis, keys.DELTA_REVISIONS, keys.DELTA_PREFIX, deltas)
    kept_digests = {digest.encode() for digest in specs_kept}
    specs: list[bytes] = []
    offset = 0
    while len(specs) < REMOVED_PER_PASS_MAX:
        old = await _members(redis, keys.SPEC_TIMES, now - SPEC_AGE_MIN_S, DIGEST_LENGTH, offset, _BATCH)
        specs += [digest for digest in old.names if digest not in kept_digests]
        offset += old.total
        if old.total < _BATCH:
            break
    await _unlink(redis, keys.SPEC_TIMES, keys.SPEC_PREFIX, specs)
    return Removed(specs=len(specs), deltas=len(deltas), checkpoints=len(checkpoints))


async def listed_specs(redis: Redis) -> list[str]:
    """The digests of all specs in Redis. Raises one of `link.LINK_ERRORS`."""
    return await _listed(redis, keys.SPEC_TIMES, DIGEST_LENGTH)


async def listed_deltas(redis: Redis) -> list[int]:
    """The revisions of all deltas in Redis. Raises one of `link.LINK_ERRORS`."""
    return sorted(int(name) for name in await _listed(redis, keys.DELTA_REVISIONS, NUMBER_LENGTH_MAX) if name.isdigit())


async def listed_checkpoints(redis: Redis) -> list[int]:
    """The revisions of all checkpoints in Redis. Raises one of `link.LINK_ERRORS`."""
    found = await _listed(redis, keys.CHECKPOINT_REVISIONS, NUMBER_LENGTH_MAX)
    return sorted(int(name) for name in found if name.isdigit())


async def unlink_specs(redis: Redis, digests: Collection[str]) -> None:
    """Remove these specs. Raises one of `link.LINK_ERRORS`."""
    await _unlink(redis, keys.SPEC_TIMES, keys.SPEC_PREFIX, [digest.encode() for digest in digests])


async def unlink_deltas(redis: Redis, revisions: Collection[int]) -> None:
    """Remove these deltas. Raises one of `link.LINK_ERRORS`."""
    await _unlink(redis, keys.DELTA_REVISIONS, keys.DELTA_PREFIX, [str(number).encode() for number in revisions])


async def unlink_checkpoints(redis: Redis, revisions: Collection[int]) -> None:
    """Remove these checkpoints. Raises one of `link.LINK_ERRORS`."""
    names = [str(number).encode() for number in revisions]
    await _unlink(redis, keys.CHECKPOINT_REVISIONS, keys.CHECKPOINT_PREFIX, names)


async def _listed(redis: Redis, key: str, length_max: int) -> list[str]:
    names: list[str] = []
    start = 0
    while (found := await _members(redis, key, float("inf"), length_max, start, REMOVED_PER_PASS_MAX)).total:
        names += [name.decode("ascii", "replace") for name in found.names]
        start += found.total
    return names


async def _members(redis: Redis, key: str, score: float, length_max: int, start: int, number_max: int) -> Members:
    return await members_up_to(redis, key, score, length_max, start=start, number_max=number_max)


async def _unlink(redis: Redis, index: str, prefix: str, names: list[bytes]) -> None:
    for start in range(0, len(names), _BATCH):
        batch = names[start : start + _BATCH]
        pipe = redis.pipeline(transaction=False)
        pipe.unlink(*[prefix.encode() + name for name in batch])
        pipe.zrem(index, *batch)
        await pipe.execute()


def _number(name: bytes) -> int:
    return int(name) if name.isdigit() and len(name) <= 16 else 0
