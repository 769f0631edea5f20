"""From the state that is served to the newest one that verifies: by deltas, or by the checkpoint when that is nearer.

Reads and verifies; changes nothing. What it returns can be built and served as it is.
"""

import asyncio
from collections.abc import Callable, Iterable

import msgspec

from data_plane.catalogs.catalog import Difference
from qg_bundle.envelope import Sealed
from qg_bundle.limits import DELTAS_PER_READ_MAX
from qg_bundle.reader import BundleReader
from qg_bundle.rejections import BundleRejected, Reason
from qg_core.revisions import ChainBroken, Checkpoint, Delta, Manifest, SubjectKey, apply_deltas, manifest_of

WANTED_MAX = 20


class Promised(msgspec.Struct, frozen=True):
    """What there is said to be: `newest` by anybody who can write to Redis, `signed` by a verified beacon.

    Only `signed` decides whether deltas are too far a way: a made-up head must not keep a node from the real ones.
    """

    newest: int
    signed: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A verified newer state: its manifest, the signed parts that lead there, the new specs' bytes.

    `issued_at` is when its newest part was signed (Unix seconds). `held_up` says why it is not newer still.
    `difference` is from what was served, where deltas tell it.
    """

    manifest: Manifest
    checkpoint: Sealed[Checkpoint] | None
    deltas: list[Sealed[Delta]]
    bodies: dict[str, bytes]
    issued_at: float
    held_up: BundleRejected | None
    difference: Difference | None = None


class _Lead(msgspec.Struct, frozen=True):
    """Where the signed parts lead, before any spec is fetched."""

    manifest: Manifest
    checkpoint: Sealed[Checkpoint] | None
    deltas: list[Sealed[Delta]]
    issued_at: float
    stopped: BundleRejected | None

    def changed(self) -> frozenset[SubjectKey]:
        """Every subject that the deltas put or remove."""
        return frozenset(
            SubjectKey(change.kind, change.id) for sealed in self.deltas for change in sealed.value.changes
        )


async def catch_up(
    reader: BundleReader,
    served: Manifest | None,
    promised: Promised,
    at_least: int,
    knows: Callable[[str], bool],
) -> Step:
    """The newest verified state that leads towards what is promised.

    `served` is null when there is none yet. Never returns a state below `at_least` or not above the served one. Raises
    `BundleRejected` when nothing newer verifies, and one of `link.LINK_ERRORS`.
    """
    lead: _Lead | None = None
    if served is not None and promised.signed - served.revision <= DELTAS_PER_READ_MAX:
        lead = await _by_deltas(reader, served, None, promised.newest)
        if lead.manifest.revision > served.revision:
            changed = lead.changed()
            named = [lead.manifest.digests.get(key) for key in changed]
            bodies, rejected = await fetch_specs(reader, lead.manifest.revision, named, knows)
            if rejected is None:
                return _step(lead, bodies, at_least, Difference(served, changed))
            lead = _stop(lead, rejected)
    by_checkpoint = await _by_checkpoint(reader, served, promised.newest, lead)
    manifest = by_checkpoint.manifest
    bodies, rejected = await fetch_specs(reader, manifest.revision, manifest.digests.values(), knows)
    if rejected is not None:
        raise rejected
    return _step(by_checkpoint, bodies, at_least, None)


async def _by_deltas(
    reader: BundleReader, start: Manifest, checkpoint: Sealed[Checkpoint] | None, target: int
) -> _Lead:
    issued_at = checkpoint.value.issued_at if checkpoint is not None else 0.0
    if target <= start.revision:
        return _Lead(start, checkpoint, [], issued_at, None)
    run = await reader.deltas(start.revision + 1, target)
    applied: list[Sealed[Delta]] = []
    stopped = run.stopped
    revision = start.revision
    for sealed in run.deltas:
        if sealed.value.previous != revision:
            detail = f"delta {sealed.value.revision} follows {sealed.value.previous}, not {revision}"
            stopped = BundleRejected(Reason.CHAIN_BROKEN, detail)
            break
        revision = sealed.value.revision
        applied.append(sealed)
    try:
        manifest = apply_deltas(start, [sealed.value for sealed in applied]) if applied else start
    except ChainBroken as error:
        raise BundleRejected(Reason.CHAIN_BROKEN, str(error)) from error
    if applied:
        issued_at = applied[-1].value.issued_at
    return _Lead(manifest, checkpoint, applied, issued_at, stopped)


async def _by_checkpoint(reader: BundleReader, served: Manifest | None, target: int, lead: _Lead | None) -> _Lead:
    """The newest checkpoint, if it is newer than what is served, and the deltas after it."""
    newest = await reader.newest_checkpoint_revision()
    if newest is None or (served is not None and newest <= served.revision):
        if lead is not None and lead.stopped is not None:
            raise lead.stopped
        raise BundleRejected(Reason.MISSING, f"nothing in Redis leads to revision {target}")
    checkpoint = await reader.checkpoint(newest)
    manifest = await asyncio.to_thread(manifest_of, checkpoint.value)
    return await _by_deltas(reader, manifest, checkpoint, max(target, newest))


async def fetch_specs(
    reader: BundleReader, revision: int, named: Iterable[str | None], knows: Callable[[str], bool]
) -> tuple[dict[str, bytes], BundleRejected | None]:
    """The bytes of the named specs that are not known yet; what is missing or altered of them as a rejection."""
    unknown = [digest for digest in dict.fromkeys(named) if digest is not None and not knows(digest)]
    read = await reader.specs(unknown)
    if not read.missing:
        return read.bodies, None
    wanted = tuple(f"spec:{digest}" for digest in read.missing[:WANTED_MAX])
    detail = f"{len(read.missing)} specs of revision {revision} are absent or altered"
    return read.bodies, BundleRejected(read.reason or Reason.MISSING, detail, wanted=wanted)


def _stop(lead: _Lead, rejected: BundleRejected) -> _Lead:
    return msgspec.structs.replace(lead, stopped=rejected)


def _step(lead: _Lead, bodies: dict[str, bytes], at_least: int, difference: Difference | None) -> Step:
    if lead.manifest.revision < at_least:
        detail = f"revision {lead.manifest.revision} is older than {at_least}, which this node has served"
        raise BundleRejected(Reason.OLDER, detail)
    return Step(
        manifest=lead.manifest,
        checkpoint=lead.checkpoint,
        deltas=lead.deltas,
        bodies=bodies,
        issued_at=lead.issued_at,
        held_up=lead.stopped,
        difference=difference,
    )
