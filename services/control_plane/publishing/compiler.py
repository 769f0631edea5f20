"""From the rows that a change touched to the specs that a revision puts or removes.

A row whose plain content is what its published spec already says keeps those very bytes: sealing is randomised, so
sealing again would change the digest and wake every node for nothing.
"""

import asyncio
from collections.abc import Collection

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.publishing.plain import (
    SECRET_TYPES,
    Plain,
    plain_auth_method,
    plain_connection,
    plain_credential,
    plain_endpoint,
    plain_settings,
    without_secret,
)
from control_plane.publishing.seals import Seal, Seals, is_newest, seal_of, secret_of
from qg_bundle.limits import SPEC_BYTES_MAX
from qg_core.errors import FieldProblem, InvalidInput
from qg_core.revisions import Change, SubjectKey
from qg_core.specs import (
    SealedSpec,
    Spec,
    SpecKind,
    SpecUnreadable,
    decode_spec,
    digest_of,
    encode_spec,
    sealed_row,
)
from qg_security.sealing import SealBroken, Sealer
from qg_store.models import AuthMethod, Connection, Credential, Endpoint, StoredSetting
from qg_store.repositories import publishing as ledger
from qg_store.repositories.publishing import SpecRow

ROWS_PER_BATCH = 500
"""Rows are loaded and sealed in batches; between them the event loop gets its turn (sealing costs some 40 us)."""

_AFRESH = {"populate_existing": True}
"""Rows as they are in Postgres: a noun may have changed many by one statement, past the session's objects."""


class Compiled(msgspec.Struct, frozen=True):
    """What a revision would change, sorted by subject, and the new spec bytes that it names."""

    changes: tuple[Change, ...]
    specs: tuple[SpecRow, ...]


class Compiler:
    """Opens secrets with `at_rest` (`ENCRYPTION_KEY`) and seals them for nodes with `bundle`.

    `bundle` holds all keys of `BUNDLE_SEAL_KEY`: a touched row that is sealed under another one than the first is
    sealed again.
    """

    def __init__(self, at_rest: Sealer, bundle: Sealer) -> None:
        self._at_rest = at_rest
        self._bundle = bundle

    async def compile(self, session: AsyncSession, touched: Collection[SubjectKey]) -> Compiled:
        """Compile the touched subjects as their rows are now.

        A subject without row, or with an inactive or revoked one, is removed. Raises `InvalidInput` when a spec is too
        large and `SealBroken` when a secret at rest doesn't open.
        """
        subjects = sorted(await self._with_credentials(session, set(touched)))
        changes: list[Change] = []
        specs: list[SpecRow] = []
        for start in range(0, len(subjects), ROWS_PER_BATCH):
            batch = subjects[start : start + ROWS_PER_BATCH]
            plains = await self._plains(session, batch)
            before = await ledger.published(session, batch)
            for key in batch:
                plain, old = plains.get(key), before.get(key)
                if plain is None:
                    if old is not None:
                        changes.append(Change(kind=key.kind, id=key.id, digest=None))
                elif old is None or not self._says_the_same(old.body, plain):
                    spec = self._seal(plain)
                    specs.append(spec)
                    changes.append(Change(kind=key.kind, id=key.id, digest=spec.digest))
            await asyncio.sleep(0)
        return Compiled(tuple(changes), tuple(specs))

    async def seals(self, session: AsyncSession) -> Seals:
        """How the secrets of everything that is published are sealed."""
        manifest = await ledger.manifest(session)
        chosen = [digest for key, digest in manifest.items() if key.kind in set(SECRET_TYPES)]
        total = 0
        older: list[SubjectKey] = []
        unopened: list[SubjectKey] = []
        async for batch in ledger.specs(session, chosen):
            for row in batch:
                seal = seal_of(self._bundle, row.body)
                total += seal is not None
                if seal in (Seal.OLDER, Seal.UNOPENED):
                    (older if seal is Seal.OLDER else unopened).append(SubjectKey(row.kind, row.subject_id))
            await asyncio.sleep(0)
        return Seals(total, tuple(older), tuple(unopened))

    async def resealed(self, session: AsyncSession, subjects: Collection[SubjectKey]) -> Compiled:
        """The published specs of these subjects with the same secrets under the newest key; others are left out.

        From the published bytes alone: what the rows say is not looked at, and `ENCRYPTION_KEY` not needed.
        """
        published = await ledger.published(session, subjects)
        older = [row for row in published.values() if seal_of(self._bundle, row.body) is Seal.OLDER]
        specs = sorted((self._resealed(decode_spec(row.body)) for row in older), key=lambda row: row.subject_id)
        changes = (Change(kind=row.kind, id=row.subject_id, digest=row.digest) for row in specs)
        return Compiled(tuple(changes), tuple(specs))

    async def _with_credentials(self, session: AsyncSession, touched: set[SubjectKey]) -> set[SubjectKey]:
        """A method that appears or disappears takes its credentials with it."""
        methods = [key for key in touched if key.kind == SpecKind.AUTH_METHOD]
        before = await ledger.published(session, methods)
        for key in methods:
            row = await session.get(AuthMethod, key.id, populate_existing=True)
            active = row is not None and row.is_active
            if active == (key in before):
                continue
            ids = set(await session.scalars(select(Credential.id).where(Credential.auth_method_id == key.id)))
            if not active:
                ids |= set(await ledger.published_credentials(session, key.id))
            touched |= {SubjectKey(SpecKind.CREDENTIAL.value, credential_id) for credential_id in ids}
        return touched

    async def _plains(self, session: AsyncSession, batch: list[SubjectKey]) -> dict[SubjectKey, Plain]:
        """What the rows of a batch say; removed, inactive and revoked ones are left out."""

        def ids(kind: SpecKind) -> list[str]:
            return [key.id for key in batch if key.kind == kind]

        plains: list[Plain] = []
        if chosen := ids(SpecKind.ENDPOINT):
            endpoints = select(Endpoint).where(Endpoint.id.in_(chosen), Endpoint.is_active)
            plains += [plain_endpoint(row) for row in await session.scalars(endpoints, execution_options=_AFRESH)]
        if chosen := ids(SpecKind.CONNECTION):
            connections = select(Connection).where(Connection.id.in_(chosen), Connection.is_active)
            plains += [
                plain_connection(row, self._at_rest)
                for row in await session.scalars(connections, execution_options=_AFRESH)
            ]
        if chosen := ids(SpecKind.AUTH_METHOD):
            methods = select(AuthMethod).where(AuthMethod.id.in_(chosen), AuthMethod.is_active)
            plains += [
                plain_auth_method(row, self._at_rest)
                for row in await session.scalars(methods, execution_options=_AFRESH)
            ]
        if chosen := ids(SpecKind.CREDENTIAL):
            credentials = (
                select(Credential, AuthMethod)
                .join(AuthMethod, AuthMethod.id == Credential.auth_method_id)
                .where(Credential.id.in_(chosen), Credential.revoked_at.is_(None), AuthMethod.is_active)
            )
            for credential, method in await session.execute(credentials, execution_options=_AFRESH):
                plains.append(plain_credential(credential, method, self._at_rest))
        if ids(SpecKind.SETTINGS):
            stored = await session.scalars(select(StoredSetting), execution_options=_AFRESH)
            plain = plain_settings(stored.all())
            plains += [plain] if plain is not None else []
        return {SubjectKey(plain.spec.kind_.value, plain.spec.id): plain for plain in plains}

    def _says_the_same(self, body: bytes, plain: Plain) -> bool:
        """Whether published bytes already say this, secret included, sealed so that nodes can open it."""
        try:
            spec = decode_spec(body)
            if without_secret(spec) != plain.spec:
                return False
            return secret_of(self._bundle, spec) == plain.secret and is_newest(self._bundle, spec)
        except (SpecUnreadable, SealBroken):
            return False

    def _seal(self, plain: Plain) -> SpecRow:
        spec = plain.spec
        if plain.secret is not None and isinstance(spec, SealedSpec):
            spec = msgspec.structs.replace(
                spec, sealed=self._bundle.seal(sealed_row(spec.kind_, spec.id), plain.secret)
            )
        return _row_of(spec)

    def _resealed(self, spec: Spec) -> SpecRow:
        if isinstance(spec, SealedSpec) and spec.sealed:
            sealed = self._bundle.seal_again(sealed_row(spec.kind_, spec.id), spec.sealed)
            spec = msgspec.structs.replace(spec, sealed=sealed)
        return _row_of(spec)


def _row_of(spec: Spec) -> SpecRow:
    body = encode_spec(spec)
    if len(body) > SPEC_BYTES_MAX:
        message = f"{spec.kind_.value} {spec.id} is {len(body)} bytes when published; at most {SPEC_BYTES_MAX} fit"
        raise InvalidInput([FieldProblem("", message)])
    return SpecRow(digest_of(body), spec.kind_.value, spec.id, spec.format, body)
