"""Publishing: a write becomes a revision in the same transaction, then reaches the nodes.

Committed means publishable: the specs' bytes, the signed delta and (at times) the signed checkpoint are in Postgres
before anybody hears of them. What happens after commit (`activator`) can be repeated by anyone at any time.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec
from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.actors import SYSTEM, Actor
from control_plane.publishing.change import Change
from control_plane.publishing.compiler import Compiled, Compiler
from control_plane.publishing.references import StatementCheck, reference_problems
from qg_activation.fault_points import FaultPoint, FaultPoints
from qg_bundle.envelope import TooLarge, seal_checkpoint, seal_delta
from qg_core.errors import FieldProblem, InvalidInput, StoreUnavailable
from qg_core.revisions import CHECKPOINT_EVERY_REVISIONS, Delta, Manifest, checkpoint_of
from qg_core.signatures import Signer
from qg_store.engine import SessionFactory
from qg_store.models import AuditEntry
from qg_store.repositories import publishing as ledger
from qg_store.repositories.publishing import SealedRow
from qg_telemetry.events import Observe, RevisionPublished

LOCK_NOT_AVAILABLE = "55P03"
"""Postgres' code for a lock that was not had in time."""


class Taken(msgspec.Struct, frozen=True):
    """What one transaction took: the revision, or the unchanged head with `changes` 0."""

    revision: int
    previous: int
    changes: int
    checkpoint: bool


class DependentRuns(Protocol):
    """Job runs that a change makes necessary."""

    async def queue(self, session: AsyncSession, compiled: Compiled) -> bool:
        """In the transaction, before the change is stored: queue them; whether there are any."""
        ...

    async def wake(self) -> None:
        """After commit: tell the workers. Bounded in time; never raises."""
        ...


class Publishing:
    """Every write to what is published goes through `change`; several control planes may do so at once."""

    def __init__(
        self,
        *,
        gateway_id: str,
        sessions: SessionFactory,
        compiler: Compiler,
        signer: Signer,
        observe: Observe,
        on_committed: Callable[[int], None],
        statement_check: StatementCheck | None = None,
        dependent_runs: DependentRuns | None = None,
        faults: FaultPoints | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`on_committed` is told each new revision and must return at once (`Activator.ask`)."""
        self._gateway_id = gateway_id
        self._sessions = sessions
        self._compiler = compiler
        self._signer = signer
        self._observe = observe
        self._on_committed = on_committed
        self._statement_check = statement_check
        self._dependent_runs = dependent_runs
        self._faults = faults or FaultPoints()
        self._now = now

    @asynccontextmanager
    async def change(self, actor: Actor) -> AsyncIterator[Change]:
        """One write under the publish lock; leaving the block validates, compiles, takes a revision and commits.

        Raises `InvalidInput` with all problems at once, `StoreUnavailable` when the lock is not had in time, and what
        SQLAlchemy raises; in each case nothing was changed.
        """
        started = time.perf_counter()
        async with self._sessions() as session:
            await _lock(session)
            change = Change(session, actor)
            yield change
            await session.flush()
            if problems := await reference_problems(change, self._statement_check):
                raise InvalidInput(problems)
            compiled = await self._compiler.compile(session, change.touched)
            runs = self._dependent_runs if compiled.changes else None
            queued = runs is not None and await runs.queue(session, compiled)
            taken = await self._take(session, compiled, actor, change.summary)
            await self._write_audit(change, taken)
            self._faults.reach(FaultPoint.BEFORE_COMMIT)
            await session.commit()
        self._faults.reach(FaultPoint.AFTER_COMMIT)
        change.revision = taken.revision
        self._announce(taken, actor, started)
        if runs is not None and queued:
            await runs.wake()

    async def head(self) -> int:
        """The newest revision."""
        async with self._sessions() as session:
            return (await ledger.heads(session)).head

    async def begin(self) -> int:
        """Publish the first revision, of nothing, where there is none yet: so that nodes can become ready."""
        return await self.take_empty("The gateway begins.", lambda head: 1 if head == 0 else None)

    async def move_past(self, verified: int) -> tuple[int, int]:
        """Take a revision beyond `verified`, which nodes know although Postgres does not; (head before, revision).

        Nothing changes but the number; its checkpoint leads every node to what Postgres says now.
        """
        before = await self.head()
        revision = await self.take_empty(
            f"Moved past revision {verified}, which nodes had seen.",
            lambda head: verified + 1 if head <= verified else None,
        )
        return before, revision

    async def take_empty(self, summary: str, number: Callable[[int], int | None], *, audit: str | None = None) -> int:
        """A revision that changes nothing but its number, which `number` makes of the head (null: none needed).

        It has a checkpoint. With `audit` it leaves an entry of that action.
        """

        async def take(session: AsyncSession) -> Taken:
            head = (await ledger.heads(session)).head
            revision = number(head)
            if revision is None:
                return Taken(head, head, 0, checkpoint=False)
            return await self._store(session, head, revision, Compiled((), ()), SYSTEM, summary, checkpoint=True)

        return (await self._by_itself(take, summary, audit)).revision

    async def republish(
        self, compile_in: Callable[[AsyncSession], Awaitable[Compiled]], summary: str, *, audit: str
    ) -> int:
        """Publish what `compile_in` makes of what is published: the same content in other bytes; how many subjects.

        It leaves an entry of the action `audit`; nothing happens where there is nothing to change.
        """

        async def take(session: AsyncSession) -> Taken:
            return await self._take(session, await compile_in(session), SYSTEM, summary)

        return (await self._by_itself(take, summary, audit)).changes

    async def _by_itself(
        self, take: Callable[[AsyncSession], Awaitable[Taken]], summary: str, audit: str | None
    ) -> Taken:
        """A revision that no row's change asked for, in one transaction under the publish lock."""
        started = time.perf_counter()
        async with self._sessions() as session:
            await _lock(session)
            taken = await take(session)
            if taken.revision == taken.previous:
                return taken
            if audit is not None:
                change = Change(session, SYSTEM)
                change.audit(audit, "gateway", None, summary)
                await self._write_audit(change, taken)
            self._faults.reach(FaultPoint.BEFORE_COMMIT)
            await session.commit()
        self._faults.reach(FaultPoint.AFTER_COMMIT)
        self._announce(taken, SYSTEM, started)
        return taken

    async def _take(self, session: AsyncSession, compiled: Compiled, actor: Actor, summary: str) -> Taken:
        head = (await ledger.heads(session)).head
        if not compiled.changes:
            return Taken(head, head, 0, checkpoint=False)
        return await self._store(session, head, head + 1, compiled, actor, summary)

    async def _store(
        self,
        session: AsyncSession,
        previous: int,
        revision: int,
        compiled: Compiled,
        actor: Actor,
        summary: str,
        *,
        checkpoint: bool = False,
    ) -> Taken:
        """Write specs, revision, signed delta and, where one is due, the signed checkpoint."""
        issued_at = self._now()
        await ledger.store_specs(session, compiled.specs)
        delta = Delta(
            gateway_id=self._gateway_id,
            revision=revision,
            previous=previous,
            issued_at=issued_at,
            changes=compiled.changes,
        )
        try:
            body = seal_delta(self._signer, delta)
        except TooLarge as error:
            raise InvalidInput([FieldProblem("", f"this changes too much at once: {error}")]) from error
        await ledger.add_revision(
            session, revision=revision, previous=previous, delta=body, actor=actor.username, summary=summary
        )
        await ledger.apply_changes(session, revision, compiled.changes)
        await ledger.take_head(session, revision)
        # At a gap there is no delta for each number between: only a checkpoint leads over it.
        due = checkpoint or revision != previous + 1 or revision == 1 or revision % CHECKPOINT_EVERY_REVISIONS == 0
        if due:
            await self._store_checkpoint(session, revision, issued_at)
        return Taken(revision, previous, len(compiled.changes), checkpoint=due)

    async def _store_checkpoint(self, session: AsyncSession, revision: int, issued_at: float) -> None:
        manifest = Manifest(revision, await ledger.manifest(session))
        try:
            body = await asyncio.to_thread(self._sealed_checkpoint, manifest, issued_at)
        except TooLarge as error:
            raise InvalidInput([FieldProblem("", f"there is too much to publish: {error}")]) from error
        await ledger.add_checkpoint(session, SealedRow(revision, body))

    def _sealed_checkpoint(self, manifest: Manifest, issued_at: float) -> bytes:
        return seal_checkpoint(self._signer, checkpoint_of(manifest, self._gateway_id, issued_at))

    async def _write_audit(self, change: Change, taken: Taken) -> None:
        if not change.audit_lines:
            return
        actor = change.actor
        rows = [
            {
                "actor": actor.username,
                "actor_id": actor.admin_id,
                "action": line.action,
                "subject_kind": line.subject_kind,
                "subject_id": line.subject_id,
                "summary": line.summary,
                "revision": taken.revision if taken.revision != taken.previous else None,
                "request_id": actor.request_id,
                "remote_ip": actor.remote_ip,
            }
            for line in change.audit_lines
        ]
        await change.session.execute(insert(AuditEntry), rows)

    def _announce(self, taken: Taken, actor: Actor, started: float) -> None:
        if taken.revision == taken.previous:
            return
        self._on_committed(taken.revision)
        self._observe(
            RevisionPublished(
                revision=taken.revision,
                previous=taken.previous,
                actor=actor.username,
                changes=taken.changes,
                checkpoint=taken.checkpoint,
                duration_ms=(time.perf_counter() - started) * 1_000,
            )
        )


async def _lock(session: AsyncSession) -> None:
    try:
        await ledger.lock_publishing(session)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise StoreUnavailable("Too many changes are being published; try again.", retry_after_s=1) from error
        raise
