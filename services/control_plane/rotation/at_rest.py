"""`ENCRYPTION_KEY`: the secrets in the rows of Postgres."""

import asyncio

from control_plane.rotation import audit
from control_plane.rotation.steps import Count, Tell
from control_plane.sign_in.secret import sealed_admin_row
from qg_core.specs import SpecKind, sealed_row
from qg_security.sealing import SealBroken, Sealer
from qg_store.engine import SessionFactory
from qg_store.repositories import sealed_secrets
from qg_store.repositories.sealed_secrets import SealedSecret

ROWS_PER_BATCH = 200
"""Sealed again in one transaction; opening and sealing one takes about a tenth of a millisecond."""

PASSES_MAX = 20
PASS_PAUSE_S = 0.25
"""A row that an admin's edit has locked is left for the next pass; after so many it is left to the next run."""

_KINDS = {
    "connections": SpecKind.CONNECTION,
    "auth_methods": SpecKind.AUTH_METHOD,
    "credentials": SpecKind.CREDENTIAL,
}


class SecretsAtRest:
    """The secrets of one table (`sealed_secrets.TABLES`). `sealer` holds all keys of `ENCRYPTION_KEY`."""

    variable = "ENCRYPTION_KEY"

    def __init__(self, sessions: SessionFactory, sealer: Sealer, table: str) -> None:
        self._sessions = sessions
        self._sealer = sealer
        self._table = table
        self.what = f"secrets of {table}"

    async def count(self) -> Count:
        """Every secret is tried. Raises what SQLAlchemy raises."""
        total = older = broken = 0
        after: str | None = None
        while rows := await self._page(after):
            total += len(rows)
            for row in rows:
                if not self._sealer.is_newest(row.sealed):
                    again = self._sealed_again(row)
                    older, broken = older + (again is not None), broken + (again is None)
            after = rows[-1].id
            await asyncio.sleep(0)
        return Count(total, older, broken)

    async def run(self, tell: Tell) -> int:
        """Seal again what an older key has sealed; how many. Raises what SQLAlchemy raises."""
        total = 0
        for number in range(PASSES_MAX):
            changed, passed_over = await self._pass(tell, total)
            total += changed
            if not passed_over:
                break
            if number + 1 < PASSES_MAX:
                await asyncio.sleep(PASS_PAUSE_S)
        return total

    async def _pass(self, tell: Tell, before: int) -> tuple[int, int]:
        """One pass over the table: how many were changed, and how many passed over since somebody had them locked."""
        changed = passed_over = 0
        after: str | None = None
        while rows := await self._page(after):
            after = rows[-1].id
            older = [row.id for row in rows if not self._sealer.is_newest(row.sealed)]
            if not older:
                continue
            done, missed = await self._seal_batch(older)
            changed, passed_over = changed + done, passed_over + missed
            if done:
                tell(f"{self.what}: {before + changed} sealed again")
        return changed, passed_over

    async def _seal_batch(self, ids: list[str]) -> tuple[int, int]:
        async with self._sessions() as session:
            # As they are now: an admin may have saved another secret since they were looked at.
            locked = await sealed_secrets.lock(session, self._table, ids)
            again = {row.id: self._sealed_again(row) for row in locked if not self._sealer.is_newest(row.sealed)}
            sealed = {row_id: token for row_id, token in again.items() if token is not None}
            if sealed:
                await sealed_secrets.replace(session, self._table, sealed)
                await audit.note(session, f"Sealed {len(sealed)} secrets of {self._table} under the newest key.")
                await session.commit()
            gone = set(ids) - {row.id for row in locked}
            return len(sealed), len(gone)

    async def _page(self, after: str | None) -> list[SealedSecret]:
        async with self._sessions() as session:
            return await sealed_secrets.page(session, self._table, after, ROWS_PER_BATCH)

    def _sealed_again(self, row: SealedSecret) -> str | None:
        """The secret under the newest key, null when it opens under none."""
        try:
            return self._sealer.seal_again(self._row_name(row.id), row.sealed)
        except SealBroken:
            return None

    def _row_name(self, row_id: str) -> str:
        kind = _KINDS.get(self._table)
        return sealed_row(kind, row_id) if kind is not None else sealed_admin_row(row_id)
