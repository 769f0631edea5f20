"""Putting a bundle into Redis: first what the head leads to, then the head, so that a reader never finds it dangling.

Every call may raise one of `link.LINK_ERRORS`; every call may be repeated, also by two control planes at once.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TypeVar

import msgspec
from redis.asyncio import Redis

from qg_bundle import keys
from qg_bundle.limits import REVISION_MAX

SPECS_PER_WRITE_MAX = 200

# Lua, because "larger only" must be one step: two control planes may move the head at once. Anything there that is no
# plain number of at most 16 digits was not written by us and gives way. Returns the head as it is afterwards.
_MOVE_FORWARD = """
local now = redis.pcall('GET', KEYS[1])
if type(now) ~= 'string' or not string.match(now, '^%d+$') or #now > 16 or tonumber(now) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1])
  return ARGV[1]
end
return now
"""

# Takes back a head that nobody signed, unless it has changed since it was looked at.
_REPLACE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2])
  return 1
end
return 0
"""

ItemT = TypeVar("ItemT")


class StoredSpec(msgspec.Struct, frozen=True):
    """The bytes of one spec and their digest."""

    digest: str
    body: bytes


class BundleWriter:
    """Writes as a control plane. `now` is Unix seconds throughout."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def put_specs(self, specs: Iterable[StoredSpec], now: float) -> None:
        """Put specs that may be there already (they are named by their digest: the first bytes are as good)."""
        await self._put_specs(specs, now, only_new=True)

    async def put_specs_again(self, specs: Iterable[StoredSpec], now: float) -> None:
        """Put specs over whatever is there: a node found them altered."""
        await self._put_specs(specs, now, only_new=False)

    async def put_deltas(self, bodies: Mapping[int, bytes]) -> None:
        """Put sealed deltas by revision."""
        for batch in _batches(bodies.items(), SPECS_PER_WRITE_MAX):
            pipe = self._redis.pipeline(transaction=False)
            for revision, body in batch:
                pipe.set(keys.delta(revision), body)
            pipe.zadd(keys.DELTA_REVISIONS, {str(revision): revision for revision, _ in batch})
            await pipe.execute()

    async def put_checkpoint(self, revision: int, body: bytes) -> None:
        """Put a sealed checkpoint and, after it, the pointer to the newest one (larger only)."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.set(keys.checkpoint(revision), body)
        pipe.zadd(keys.CHECKPOINT_REVISIONS, {str(revision): revision})
        await pipe.execute()
        await self._run(_MOVE_FORWARD, keys.CHECKPOINT_NEWEST, revision)

    async def move_head(self, revision: int) -> int:
        """Make `revision` the head unless a newer one is there already; the head afterwards."""
        moved = await self._run(_MOVE_FORWARD, keys.HEAD, revision)
        return int(moved)

    async def replace_head(self, found: bytes, revision: int) -> bool:
        """Put `revision` where `found` is still the head (nobody signed for it); whether it was."""
        return bool(await self._run(_REPLACE, keys.HEAD, found, revision))

    async def replace_newest_checkpoint(self, revision: int) -> None:
        """Point at the checkpoint of `revision` whatever is there."""
        await self._redis.set(keys.CHECKPOINT_NEWEST, revision)

    async def put_beacon(self, body: bytes) -> None:
        """Put a sealed beacon over the one before."""
        await self._redis.set(keys.BEACON, body)

    async def hint(self, revision: int) -> None:
        """Wake the nodes that listen."""
        await self._redis.publish(keys.HINT, revision)

    async def missing_specs(self, sizes_bytes: Mapping[str, int]) -> list[str]:
        """Those digests whose spec is not there or not of the size that it should have."""
        missing: list[str] = []
        for batch in _batches(sizes_bytes.items(), SPECS_PER_WRITE_MAX):
            pipe = self._redis.pipeline(transaction=False)
            for digest, _ in batch:
                pipe.strlen(keys.spec(digest))
            found = await pipe.execute(raise_on_error=False)
            missing += [digest for (digest, size), there in zip(batch, found, strict=True) if there != size]
        return missing

    async def missing_parts(self, deltas: Mapping[int, int], checkpoint: tuple[int, int] | None) -> list[str]:
        """Which deltas (revision -> bytes) and checkpoint (revision, bytes) are absent or of another size.

        Named as in `BundleRejected.wanted`.
        """
        pipe = self._redis.pipeline(transaction=False)
        expected: list[tuple[str, int]] = []
        for revision, size in deltas.items():
            pipe.strlen(keys.delta(revision))
            expected.append((f"delta:{revision}", size))
        if checkpoint is not None:
            pipe.strlen(keys.checkpoint(checkpoint[0]))
            expected.append((f"checkpoint:{checkpoint[0]}", checkpoint[1]))
        found = await pipe.execute(raise_on_error=False)
        return [name for (name, size), there in zip(expected, found, strict=True) if there != size]

    async def _run(self, script: str, key: str, *arguments: bytes | int) -> bytes | int:
        found: bytes | int = await self._redis.execute_command(  # type: ignore[no-untyped-call]  # redis-py: untyped
            "EVAL", script, 1, key, *arguments
        )
        return found

    async def _put_specs(self, specs: Iterable[StoredSpec], now: float, *, only_new: bool) -> None:
        for batch in _batches(specs, SPECS_PER_WRITE_MAX):
            pipe = self._redis.pipeline(transaction=False)
            # The time first: garbage must see a spec as young before it sees the spec.
            pipe.zadd(keys.SPEC_TIMES, {spec.digest: now for spec in batch})
            for spec in batch:
                pipe.set(keys.spec(spec.digest), spec.body, nx=only_new)
            await pipe.execute()


def head_of(text: bytes | None) -> int | None:
    """The revision that a head or pointer names; null when absent or no plain number up to `REVISION_MAX`."""
    if text is None or not text.isdigit() or len(text) > 16:
        return None
    revision = int(text)
    return revision if revision <= REVISION_MAX else None


def _batches(items: Iterable[ItemT], size: int) -> Iterable[list[ItemT]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
