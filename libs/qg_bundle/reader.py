"""Reading a bundle from Redis: bounded in bytes and time, and nothing is handed out that was not verified.

Every call may raise one of `link.LINK_ERRORS`, and `BundleRejected` where it says so.
"""

import asyncio
from collections.abc import Sequence

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from qg_bundle import keys
from qg_bundle.envelope import Sealed, open_beacon, open_checkpoint, open_delta
from qg_bundle.limits import (
    BEACON_BYTES_MAX,
    CHECKPOINT_BYTES_MAX,
    DELTA_BYTES_MAX,
    DELTAS_PER_READ_MAX,
    HEAD_BYTES_MAX,
    READ_BYTES_MAX,
    SPEC_BYTES_MAX,
    SPECS_PER_READ_MAX,
)
from qg_bundle.rejections import BundleRejected, Reason
from qg_bundle.writer import head_of
from qg_core.revisions import Beacon, Checkpoint, Delta
from qg_core.signatures import Verifier
from qg_core.specs import digest_of


class Glance(msgspec.Struct, frozen=True):
    """What one small read shows. `head` is unsigned: only a reason to look further; null when absent or no number."""

    head: int | None
    head_text: bytes
    beacon_body: bytes
    """Not yet opened; empty when absent."""


class DeltaRun(msgspec.Struct, frozen=True):
    """The verified deltas that were found, in order without a hole, and why there are no more of them."""

    deltas: list[Sealed[Delta]]
    stopped: BundleRejected | None


class SpecsRead(msgspec.Struct, frozen=True):
    """Verified spec bytes by digest, and the digests that are absent or altered, with the reason of the first."""

    bodies: dict[str, bytes]
    missing: tuple[str, ...]
    reason: Reason | None


class BundleReader:
    """Reads as a data plane, or as a control plane that looks after what it published."""

    def __init__(self, redis: Redis, gateway_id: str, verifier: Verifier) -> None:
        self._redis = redis
        self._gateway_id = gateway_id
        self._verifier = verifier

    async def glance(self) -> Glance:
        """The head and the beacon, in one round trip of a few hundred bytes."""
        head, beacon = await self._read_bounded([(keys.HEAD, HEAD_BYTES_MAX), (keys.BEACON, BEACON_BYTES_MAX)])
        return Glance(head_of(head), head, beacon)

    def open_beacon(self, body: bytes) -> Sealed[Beacon]:
        """Verify a beacon. Raises `BundleRejected`."""
        return open_beacon(self._verifier, self._gateway_id, body)

    async def deltas(self, first: int, last: int) -> DeltaRun:
        """The deltas of the revisions `first` to `last`, at most `DELTAS_PER_READ_MAX`, as far as they verify."""
        last = min(last, first + DELTAS_PER_READ_MAX - 1)
        run: list[Sealed[Delta]] = []
        for revisions in await self._grouped([keys.delta(revision) for revision in range(first, last + 1)]):
            chosen = range(first + revisions.start, first + revisions.stop)
            bodies = await self._read_bounded([(keys.delta(revision), DELTA_BYTES_MAX) for revision in chosen])
            for revision, body in zip(chosen, bodies, strict=True):
                try:
                    run.append(self._open_delta(body, revision))
                except BundleRejected as rejected:
                    return DeltaRun(run, rejected)
        return DeltaRun(run, None)

    async def newest_checkpoint_revision(self) -> int | None:
        """The revision that the unsigned pointer names; null when absent or no number."""
        (text,) = await self._read_bounded([(keys.CHECKPOINT_NEWEST, HEAD_BYTES_MAX)])
        return head_of(text)

    async def checkpoint(self, revision: int) -> Sealed[Checkpoint]:
        """The verified checkpoint of `revision`. Raises `BundleRejected`."""
        wanted = (f"checkpoint:{revision}",)
        (body,) = await self._read_bounded([(keys.checkpoint(revision), CHECKPOINT_BYTES_MAX)])
        if not body:
            raise BundleRejected(Reason.MISSING, f"checkpoint {revision} is not in Redis", wanted=wanted)
        try:
            # In a thread: megabytes are verified and decoded, and the loop has requests to serve.
            return await asyncio.to_thread(open_checkpoint, self._verifier, self._gateway_id, body, revision)
        except BundleRejected as rejected:
            raise BundleRejected(rejected.reason, rejected.detail, wanted=wanted) from rejected

    async def specs(self, digests: Sequence[str]) -> SpecsRead:
        """The bytes of these specs, each compared with its digest."""
        bodies: dict[str, bytes] = {}
        missing: list[str] = []
        reason: Reason | None = None
        for start in range(0, len(digests), SPECS_PER_READ_MAX):
            batch = digests[start : start + SPECS_PER_READ_MAX]
            for group in await self._grouped([keys.spec(digest) for digest in batch]):
                chosen = batch[group.start : group.stop]
                found = await self._read_bounded([(keys.spec(digest), SPEC_BYTES_MAX) for digest in chosen])
                for digest, body in zip(chosen, found, strict=True):
                    if body and len(body) <= SPEC_BYTES_MAX and digest_of(body) == digest:
                        bodies[digest] = body
                    else:
                        missing.append(digest)
                        reason = reason or (Reason.DIGEST_MISMATCH if body else Reason.MISSING)
        return SpecsRead(bodies, tuple(missing), reason)

    def _open_delta(self, body: bytes, revision: int) -> Sealed[Delta]:
        wanted = (f"delta:{revision}",)
        if not body:
            raise BundleRejected(Reason.MISSING, f"delta {revision} is not in Redis", wanted=wanted)
        try:
            return open_delta(self._verifier, self._gateway_id, body, revision)
        except BundleRejected as rejected:
            raise BundleRejected(rejected.reason, rejected.detail, wanted=wanted) from rejected

    async def _read_bounded(self, wanted: list[tuple[str, int]]) -> list[bytes]:
        """Values cut one byte beyond their limit, so that a larger one shows; absent and of another type: empty."""
        pipe = self._redis.pipeline(transaction=False)
        for key, bytes_max in wanted:
            pipe.getrange(key, 0, bytes_max)
        return [_bytes_or_raise(value) for value in await pipe.execute(raise_on_error=False)]

    async def _grouped(self, names: list[str]) -> list[slice]:
        """Runs of `names` whose values together stay below `READ_BYTES_MAX`; a larger one is a run of its own."""
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            pipe.strlen(name)
        groups: list[slice] = []
        start, total = 0, 0
        for index, size in enumerate(await pipe.execute(raise_on_error=False)):
            size_bytes = size if isinstance(size, int) else 0
            if index > start and total + size_bytes > READ_BYTES_MAX:
                groups.append(slice(start, index))
                start, total = index, 0
            total += size_bytes
        if len(names) > start:
            groups.append(slice(start, len(names)))
        return groups


def _bytes_or_raise(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, ResponseError) and "WRONGTYPE" in str(value):
        return b""
    if isinstance(value, Exception):
        raise value
    raise RedisError(f"Redis answered a {type(value).__name__} where bytes were asked for")
