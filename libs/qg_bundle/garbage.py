"""Removing from Redis what no revision needs any more.

The caller holds the activation lock: nobody puts specs meanwhile, so a spec that is about to be named again is not
taken away under its publisher's hands.
"""

from collections.abc import Collection

import msgspec
from redis.asyncio import Redis

from qg_bundle import keys

SPEC_AGE_MIN_S = 3_600
CHECKPOINTS_KEPT_MIN = 20
CHECKPOINT_AGE_MIN_S = 86_400

REMOVED_PER_PASS_MAX = 10_000
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
    known = await redis.zrange(keys.CHECKPOINT_REVISIONS, 0, REMOVED_PER_PASS_MAX - 1)
    # Not the ones above: another control plane may just be putting a newer one.
    newest = max(checkpoints_kept)
    checkpoints = [name for name in known if name not in kept_names and _number(name) < newest]
    await _unlink(redis, keys.CHECKPOINT_REVISIONS, keys.CHECKPOINT_PREFIX, checkpoints)
    deltas = await redis.zrangebyscore(keys.DELTA_REVISIONS, "-inf", oldest, start=0, num=REMOVED_PER_PASS_MAX)
    await _unlink(redis, keys.DELTA_REVISIONS, keys.DELTA_PREFIX, deltas)
    kept_digests = {digest.encode() for digest in specs_kept}
    specs: list[bytes] = []
    offset = 0
    while len(specs) < REMOVED_PER_PASS_MAX:
        old = await redis.zrangebyscore(keys.SPEC_TIMES, "-inf", now - SPEC_AGE_MIN_S, start=offset, num=_BATCH)
        specs += [digest for digest in old if digest not in kept_digests]
        offset += len(old)
        if len(old) < _BATCH:
            break
    await _unlink(redis, keys.SPEC_TIMES, keys.SPEC_PREFIX, specs)
    return Removed(specs=len(specs), deltas=len(deltas), checkpoints=len(checkpoints))


async def _unlink(redis: Redis, index: str, prefix: str, names: list[bytes]) -> None:
    for start in range(0, len(names), _BATCH):
        batch = names[start : start + _BATCH]
        pipe = redis.pipeline(transaction=False)
        pipe.unlink(*[prefix.encode() + name for name in batch])
        pipe.zrem(index, *batch)
        await pipe.execute()


def _number(name: bytes) -> int:
    return int(name) if name.isdigit() and len(name) <= 16 else 0
