"""`BUNDLE_SEAL_KEY`: the secrets inside specs: published ones, and those that nothing names any more."""

from collections.abc import Sequence

from redis.asyncio import Redis

from control_plane.publishing.renewal import SUBJECTS_PER_REVISION_MAX, Renewal
from control_plane.publishing.seals import Seal, seal_of
from control_plane.rotation import audit
from control_plane.rotation.steps import Count, Tell
from qg_activation.activation import Activation
from qg_bundle import garbage
from qg_bundle.reader import BundleReader
from qg_security.sealing import SealBroken, Sealer
from qg_store.engine import SessionFactory
from qg_store.repositories import publishing as ledger

SPECS_PER_BATCH = 200
REMOVED_PER_LOCK = 2_000


class PublishedSpecs:
    """What the head names. Sealed again they are other specs: published as ordinary revisions, and activated."""

    variable = "BUNDLE_SEAL_KEY"
    what = "secrets of published specs"

    def __init__(self, renewal: Renewal, activation: Activation) -> None:
        self._renewal = renewal
        self._activation = activation

    async def count(self) -> Count:
        """`broken`: what no key of ours opens."""
        seals = await self._renewal.seals()
        return Count(seals.total, len(seals.older), len(seals.unopened))

    async def run(self, tell: Tell) -> int:
        """Publish them again, batch by batch, so that other writers have their turn in between."""
        done = await self._unopened(tell)
        subjects = (await self._renewal.seals()).older
        for start in range(0, len(subjects), SUBJECTS_PER_REVISION_MAX):
            done += await self._renewal.reseal(subjects[start : start + SUBJECTS_PER_REVISION_MAX])
            await self._activation.activate()
            tell(f"{self.what}: {done} sealed again and published")
        return done

    async def _unopened(self, tell: Tell) -> int:
        try:
            return await self._renewal.reseal_unopened()
        except SealBroken as error:
            # Neither what is published nor the row can be opened: that admin has to enter it again.
            tell(f"{self.what}: left as it is: {error}")
            return 0


class SupersededSpecs:
    """Specs in Postgres that the head does not name. They stay for rollbacks, which take no secret from them."""

    variable = "BUNDLE_SEAL_KEY"
    what = "secrets of superseded specs in Postgres"

    def __init__(self, sessions: SessionFactory, sealer: Sealer) -> None:
        self._sessions = sessions
        self._sealer = sealer

    async def count(self) -> Count:
        """What opens under none of the keys counts as older, too: it goes with the next run."""
        total = older = 0
        after = ""
        while batch := await self._page(after):
            total, older, after = total + len(batch), older + len(self._older(batch)), batch[-1].digest
        return Count(total, older)

    async def run(self, tell: Tell) -> int:
        """Take those secrets out."""
        done = 0
        after = ""
        while batch := await self._page(after):
            after = batch[-1].digest
            digests = self._older(batch)
            if not digests:
                continue
            async with self._sessions() as session:
                # Nobody publishes meanwhile, so none of them is about to be named again.
                await ledger.lock_publishing(session)
                stripped = await ledger.strip_superseded(session, digests)
                if stripped:
                    await audit.note(session, f"Took the secrets out of {stripped} superseded specs.")
                await session.commit()
            done += stripped
            tell(f"{self.what}: {done} taken out")
        return done

    async def _page(self, after: str) -> list[ledger.SpecRow]:
        async with self._sessions() as session:
            return await ledger.superseded_with_secrets(session, after, SPECS_PER_BATCH)

    def _older(self, batch: Sequence[ledger.SpecRow]) -> list[str]:
        return [row.digest for row in batch if seal_of(self._sealer, row.body) in (Seal.OLDER, Seal.UNOPENED)]


class SpecsInRedis:
    """Specs in Redis that the head does not name; garbage would leave them there for a day."""

    variable = "BUNDLE_SEAL_KEY"
    what = "superseded specs in Redis"

    def __init__(self, sessions: SessionFactory, redis: Redis, reader: BundleReader, sealer: Sealer) -> None:
        self._sessions = sessions
        self._redis = redis
        self._reader = reader
        self._sealer = sealer

    async def count(self) -> Count:
        """Only what has the digest that it stands under; anything else was put there by a stranger."""
        superseded = await self._superseded()
        return Count(len(superseded), len(await self._older(superseded)))

    async def run(self, tell: Tell) -> int:
        """Remove those that another key than the newest has sealed.

        Found before the lock is taken, which nobody may hold for long: what is superseded is never named again.
        """
        digests = await self._older(await self._superseded())
        for start in range(0, len(digests), REMOVED_PER_LOCK):
            async with self._sessions() as session:
                await ledger.lock_activation(session)
                await garbage.unlink_specs(self._redis, digests[start : start + REMOVED_PER_LOCK])
        if digests:
            tell(f"{self.what}: {len(digests)} removed")
        return len(digests)

    async def _superseded(self) -> list[str]:
        """What is in Redis, less what any revision from the activated one on names."""
        listed = await garbage.listed_specs(self._redis)
        async with self._sessions() as session:
            heads = await ledger.heads(session)
            named = set((await ledger.manifest(session)).values())
            named |= await ledger.digests_changed(session, heads.activated, heads.head)
        return [digest for digest in listed if digest not in named]

    async def _older(self, digests: Sequence[str]) -> list[str]:
        older: list[str] = []
        for start in range(0, len(digests), SPECS_PER_BATCH):
            read = await self._reader.specs(digests[start : start + SPECS_PER_BATCH])
            older += [
                digest
                for digest, body in read.bodies.items()
                if seal_of(self._sealer, body) in (Seal.OLDER, Seal.UNOPENED)
            ]
        return older
