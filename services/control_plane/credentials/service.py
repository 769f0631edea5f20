"""Issuing and revoking credentials of single consumers."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from control_plane.actors import Actor
from control_plane.auth_methods.minting import Minted, method_secret, mint_key, mint_password
from control_plane.auth_methods.service import found
from control_plane.credentials.views import CredentialCreate
from control_plane.input.kinds import new_id
from control_plane.publishing.service import Publishing
from qg_core.errors import FieldProblem, InvalidInput, NotApplicable, NotFound
from qg_core.specs import MethodType, SpecKind
from qg_security.sealing import Sealer
from qg_security.tokens import issue_token
from qg_store.engine import SessionFactory
from qg_store.models import AuthMethod, Credential
from qg_store.repositories import auth_methods, credential_uses, credentials

USES_PER_STATEMENT = 1_000


class Listed(msgspec.Struct, frozen=True):
    """The live credentials of a method; `last_used` by id, as workers have seen it in the access log so far."""

    method: AuthMethod
    credentials: tuple[Credential, ...]
    last_used: dict[str, datetime]


class IssuedToken(msgspec.Struct, frozen=True):
    """A token of a consumer and when it ends (Unix seconds)."""

    token: str
    expires_at: int

    def __repr__(self) -> str:
        return "IssuedToken(...)"


class Issued(msgspec.Struct, frozen=True):
    """A new credential; `secret` is shown once: a key, a token or a password."""

    method: AuthMethod
    credential: Credential
    secret: str

    def __repr__(self) -> str:
        return "Issued(...)"


class Credentials:
    def __init__(
        self,
        *,
        sessions: SessionFactory,
        publishing: Publishing,
        sealer: Sealer,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._sessions = sessions
        self._publishing = publishing
        self._sealer = sealer
        self._now = now

    async def every(self, method_id: str) -> Listed:
        """The method and its credentials that are not revoked, by consumer. Raises `NotFound`."""
        async with self._sessions() as session:
            method = found(await auth_methods.by_id(session, method_id))
            rows = await credentials.live(session, method_id)
            last_used: dict[str, datetime] = {}
            for start in range(0, len(rows), USES_PER_STATEMENT):
                some = [row.id for row in rows[start : start + USES_PER_STATEMENT]]
                last_used |= await credential_uses.last_used(session, some)
        return Listed(method, tuple(rows), last_used)

    async def issue(self, method_id: str, wanted: CredentialCreate, actor: Actor) -> tuple[Issued, int]:
        """A credential for a consumer that has none. Raises `NotFound`, `InvalidInput`, `NameTaken`."""
        if wanted.expires_at is not None and wanted.expires_at.timestamp() <= self._now():
            raise InvalidInput([FieldProblem("expires_at", "must lie in the future")])
        async with self._sessions() as session:
            before = found(await auth_methods.by_id(session, method_id))
        _check_consumer(wanted.consumer, before)
        minted = await self._mint(before)
        row = Credential(
            id=minted.credential_id,
            auth_method_id=method_id,
            consumer=wanted.consumer,
            expires_at=wanted.expires_at,
            sealed=minted.sealed or None,
        )
        async with self._publishing.change(actor) as change:
            method = found(await auth_methods.by_id(change.session, method_id))
            if (method.sealed, method.key_prefix) != (before.sealed, before.key_prefix):
                raise NotApplicable("The auth method was changed by somebody else at this moment; try again.")
            await credentials.save(change.session, row)
            change.touch(SpecKind.CREDENTIAL, row.id)
            change.audit("issue", "credential", row.id, f"issued a credential of {method.name!r} for {row.consumer!r}")
        secret = minted.shown
        if method.method_type == MethodType.BEARER.value:
            secret = self._token(method, row).token
        return Issued(method, row, secret), change.revision

    async def issue_token(self, method_id: str, consumer: str | None, actor: Actor) -> tuple[IssuedToken, int]:
        """A token of a bearer method; the consumer gets a credential with the first one.

        Raises `NotFound`, and `NotApplicable` for other types or an expired credential.
        """
        async with self._publishing.change(actor) as change:
            method = found(await auth_methods.by_id(change.session, method_id))
            if method.method_type != MethodType.BEARER.value:
                raise NotApplicable("Tokens are issued by bearer methods only.")
            name = consumer or method.name
            row = await credentials.live_by_consumer(change.session, method_id, name)
            if row is None:
                row = Credential(id=new_id(), auth_method_id=method_id, consumer=name)
                await credentials.save(change.session, row)
                change.touch(SpecKind.CREDENTIAL, row.id)
            token = self._token(method, row)
            change.audit("issue_token", "credential", row.id, f"issued a token of {method.name!r} for {name!r}")
        return token, change.revision

    async def revoke(self, method_id: str, credential_id: str, actor: Actor) -> int:
        """Revoke one consumer alone. Raises `NotFound`."""
        async with self._publishing.change(actor) as change:
            method = found(await auth_methods.by_id(change.session, method_id))
            row = await credentials.live_by_id(change.session, method_id, credential_id)
            if row is None:
                raise NotFound("There is no such credential.")
            consumer = row.consumer
            for revoked in await credentials.revoke(change.session, method_id, credential_id):
                change.touch(SpecKind.CREDENTIAL, revoked)
            change.audit(
                "revoke", "credential", credential_id, f"revoked the credential of {consumer!r} under {method.name!r}"
            )
        return change.revision

    async def _mint(self, method: AuthMethod) -> Minted:
        """The secret of a new credential; a bearer credential has none of its own."""
        if method.method_type == MethodType.API_KEY.value:
            return await mint_key(method.key_prefix or "", new_id(), method_secret(method, self._sealer), self._sealer)
        if method.method_type == MethodType.BASIC.value:
            return await mint_password(new_id(), self._sealer)
        return Minted(new_id(), "", "")

    def _token(self, method: AuthMethod, row: Credential) -> IssuedToken:
        now = self._now()
        expires_in_s = (method.expire_minutes or 0) * 60
        if row.expires_at is not None:
            expires_in_s = min(expires_in_s, int(row.expires_at.timestamp() - now))
        if expires_in_s <= 0:
            moment = row.expires_at.astimezone(UTC) if row.expires_at else datetime.now(UTC)
            raise NotApplicable(f"This consumer's credential expired at {moment:%Y-%m-%dT%H:%M:%SZ}; revoke it first.")
        token, expires_at = issue_token(
            method.id,
            method.algorithm or "",
            method_secret(method, self._sealer).hmac_secret,
            consumer=row.consumer,
            credential_id=row.id,
            expires_in_s=expires_in_s,
            now=now,
        )
        return IssuedToken(token, expires_at)


def _check_consumer(consumer: str, method: AuthMethod) -> None:
    if method.method_type == MethodType.BASIC.value and ":" in consumer:
        raise InvalidInput([FieldProblem("consumer", "may not hold a colon: HTTP Basic could not send it")])
