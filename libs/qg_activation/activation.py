"""Putting what Postgres says into Redis: one pass, repeatable by anyone at any time.

Order matters: specs, deltas, checkpoint, then the head, then what the caller adds (a control plane's beacon), then the
hint. A pass that dies anywhere leaves a bundle whose head leads nowhere new. Nothing here needs a signing key: all that
is signed was signed before its commit.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Iterable

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from qg_activation.fault_points import FaultPoint, FaultPoints
from qg_bundle.envelope import own_checkpoint
from qg_bundle.limits import DELTAS_PER_READ_MAX
from qg_bundle.link import LINK_ERRORS
from qg_bundle.writer import BundleWriter, StoredSpec
from qg_core.specs import digest_of
from qg_store.engine import SessionFactory
from qg_store.repositories import publishing as ledger
from qg_store.repositories.publishing import SpecRow
from qg_telemetry.events import HintFailed, Observe, RevisionActivated

DELTAS_PER_BATCH = 100

OnHead = Callable[[int, float], Awaitable[None]]
"""Called under the lock once the head stands in Redis: the head, and the Unix seconds at which it was not yet read."""


class Activated(msgspec.Struct, frozen=True):
    """What a pass did: Redis went from `from_revision` to `revision`."""

    revision: int
    from_revision: int
    specs: int
    deltas: int


class Activation:
    """Reads Postgres, writes Redis. Raises what SQLAlchemy raises or one of `link.LINK_ERRORS`.

    `on_head` is the control plane's, which signs a beacon there; workers have none.
    """

    def __init__(
        self,
        *,
        sessions: SessionFactory,
        writer: BundleWriter,
        observe: Observe,
        on_head: OnHead | None = None,
        faults: FaultPoints | None = None,
    ) -> None:
        self._sessions = sessions
        self._writer = writer
        self._observe = observe
        self._on_head = on_head
        self._faults = faults or FaultPoints()

    async def activate(self) -> Activated:
        """`run()`, and say so when it brought anything."""
        started = time.perf_counter()
        done = await self.run()
        if done.revision > done.from_revision:
            self._observe(
                RevisionActivated(
                    revision=done.revision,
                    from_revision=done.from_revision,
                    specs=done.specs,
                    deltas=done.deltas,
                    duration_ms=(time.perf_counter() - started) * 1_000,
                )
            )
        return done

    async def run(self, *, redis_head: int | None = None) -> Activated:
        """Bring Redis up to the head, from the last activated revision or from `redis_head` if that is less.

        `redis_head` is what was found in Redis (0: nothing); None: as Postgres has it.
        """
        async with self._sessions() as session:
            await ledger.lock_activation(session)
            issued_at = time.time()
            heads = await ledger.heads(session)
            since = heads.activated if redis_head is None else min(heads.activated, redis_head)
            if heads.head == 0 or since >= heads.head:
                return Activated(heads.head, since, 0, 0)
            specs, deltas = await self._put_between(session, since, heads.head)
            await self._writer.move_head(heads.head)
            self._faults.reach(FaultPoint.AFTER_HEAD)
            if self._on_head is not None:
                await self._on_head(heads.head, issued_at)
            self._faults.reach(FaultPoint.BEFORE_HINT)
            await self._hint(heads.head)
            await ledger.mark_activated(session, heads.head)
            await session.commit()
        return Activated(heads.head, since, specs, deltas)

    async def put_again(self, wanted: Collection[str]) -> tuple[str, ...]:
        """Put these parts over whatever is in Redis (`spec:<digest>`, `delta:<n>`, `checkpoint:<n>`); what was put.

        Whatever Postgres doesn't have is passed over: node reports are nobody's word.
        """
        digests = [name.removeprefix("spec:") for name in wanted if name.startswith("spec:")]
        done: list[str] = []
        async with self._sessions() as session:
            await ledger.lock_activation(session)
            activated = (await ledger.heads(session)).activated
            async for batch in ledger.specs(session, digests):
                whole = _whole(batch)
                await self._writer.put_specs_again(whole, time.time())
                done += [f"spec:{spec.digest}" for spec in whole]
            for name in wanted:
                kind, _, number = name.partition(":")
                if not (number.isdecimal() and len(number) <= 16 and int(number) <= activated):
                    continue
                if kind == "delta" and (rows := await ledger.deltas(session, int(number) - 1, int(number), 1)):
                    await self._writer.put_deltas({row.revision: row.body for row in rows})
                    done.append(name)
                if kind == "checkpoint" and (row := await ledger.checkpoint(session, int(number))):
                    await self._writer.put_checkpoint(row.revision, row.body)
                    done.append(name)
        return tuple(done)

    async def _hint(self, head: int) -> None:
        """Wake the nodes. They look by themselves, too: a hint that can't be sent holds nothing up."""
        try:
            await self._writer.hint(head)
        except LINK_ERRORS as error:
            self._observe(HintFailed(revision=head, error=type(error).__name__, detail=str(error)))

    async def _put_between(self, session: AsyncSession, since: int, head: int) -> tuple[int, int]:
        """Put what leads from `since` to `head`; how many specs and deltas. A large step goes by the checkpoint."""
        mark = await ledger.newest_checkpoint_mark(session, head)
        # Its bytes may be many: they are read only when Redis does not have them yet.
        new = mark is not None and mark.revision > since
        checkpoint = await ledger.newest_checkpoint(session, head) if new else None
        digests: set[str] = set()
        after = since
        if checkpoint is not None and (since == 0 or head - since > DELTAS_PER_READ_MAX):
            digests = {entry.digest for entry in own_checkpoint(checkpoint.body).entries}
            after = checkpoint.revision
        digests |= await ledger.digests_changed(session, after, head)
        async for batch in ledger.specs(session, sorted(digests)):
            await self._writer.put_specs(_whole(batch), time.time())
        self._faults.reach(FaultPoint.AFTER_SPECS)
        put = 0
        while rows := await ledger.deltas(session, after, head, DELTAS_PER_BATCH):
            await self._writer.put_deltas({row.revision: row.body for row in rows})
            after = rows[-1].revision
            put += len(rows)
        self._faults.reach(FaultPoint.AFTER_DELTAS)
        if checkpoint is not None:
            await self._writer.put_checkpoint(checkpoint.revision, checkpoint.body)
        self._faults.reach(FaultPoint.AFTER_CHECKPOINT)
        return len(digests), put


def _whole(rows: Iterable[SpecRow]) -> list[StoredSpec]:
    """Those that nodes would take. A rotation of keys takes the secrets out of specs that nothing names any more."""
    return [StoredSpec(row.digest, row.body) for row in rows if digest_of(row.body) == row.digest]
