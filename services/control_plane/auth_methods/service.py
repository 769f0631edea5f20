"""Saving, rotating and deleting auth methods.

Hashing happens before the publish lock is taken: it costs a quarter of a second.
"""

from msgspec import UNSET

from control_plane.actors import Actor
from control_plane.auth_methods.applicable import (
    DEFAULT_ALGORITHM,
    DEFAULT_EXPIRE_MINUTES,
    DEFAULT_KEY_PREFIX,
    create_problems,
    update_problems,
)
from control_plane.auth_methods.minting import Minted, mint_key, new_method_secret, sealed_password
from control_plane.auth_methods.views import MethodCreate, MethodUpdate, MethodWithKeyCreate
from control_plane.input.kinds import new_id
from control_plane.publishing.change import Change
from control_plane.publishing.service import Publishing
from qg_core.errors import FieldProblem, InvalidInput, NotApplicable, NotFound
from qg_core.specs import MethodType, SpecKind
from qg_security.sealing import Sealer
from qg_store.engine import SessionFactory
from qg_store.models import AuthMethod, Credential
from qg_store.repositories import auth_methods, credential_uses, credentials, endpoints


class AuthMethods:
    def __init__(self, *, sessions: SessionFactory, publishing: Publishing, sealer: Sealer) -> None:
        self._sessions = sessions
        self._publishing = publishing
        self._sealer = sealer

    async def every(self) -> list[AuthMethod]:
        """All by name."""
        async with self._sessions() as session:
            return await auth_methods.every(session)

    async def one(self, method_id: str) -> AuthMethod:
        """One auth method. Raises `NotFound`."""
        async with self._sessions() as session:
            return found(await auth_methods.by_id(session, method_id))

    async def create(self, wanted: MethodCreate, actor: Actor) -> tuple[AuthMethod, int]:
        """A new method and the revision; a `basic` one with its user. Raises `InvalidInput`, `NameTaken`."""
        if problems := create_problems(wanted):
            raise InvalidInput(problems)
        method = self._row_of(wanted)
        user = None
        if wanted.method_type is MethodType.BASIC and wanted.username is not None and wanted.password is not None:
            user = await self._user(method.id, wanted.username, wanted.password)
        async with self._publishing.change(actor) as change:
            await auth_methods.save(change.session, method)
            change.touch(SpecKind.AUTH_METHOD, method.id)
            if user is not None:
                await credentials.save(change.session, user)
                change.touch(SpecKind.CREDENTIAL, user.id)
            change.audit(
                "create", "auth_method", method.id, f"created auth method {method.name!r} ({method.method_type})"
            )
        return method, change.revision

    async def create_with_key(self, wanted: MethodWithKeyCreate, actor: Actor) -> tuple[AuthMethod, Minted, int]:
        """A new `api_key` method with a first key, for a consumer named as the method."""
        if wanted.method_type is not MethodType.API_KEY:
            raise InvalidInput([FieldProblem("method_type", "must be api_key here")])
        method = AuthMethod(
            id=new_id(), name=wanted.name.strip(), description=wanted.description, is_active=wanted.is_active
        )
        method.method_type = MethodType.API_KEY.value
        prefix = DEFAULT_KEY_PREFIX if wanted.key_prefix is None else wanted.key_prefix
        method.key_prefix = prefix
        secret, method.sealed = new_method_secret(method.id, self._sealer)
        key = await mint_key(prefix, new_id(), secret, self._sealer)
        async with self._publishing.change(actor) as change:
            await auth_methods.save(change.session, method)
            change.touch(SpecKind.AUTH_METHOD, method.id)
            await _add_credential(change, method, key, method.name)
            change.audit("create", "auth_method", method.id, f"created auth method {method.name!r} with a key")
        return method, key, change.revision

    async def update(self, method_id: str, wanted: MethodUpdate, actor: Actor) -> tuple[AuthMethod, int]:
        """Change what was given. Raises `NotFound`, `InvalidInput`, `NameTaken`."""
        before = await self.one(method_id)
        if problems := update_problems(wanted, MethodType(before.method_type)):
            raise InvalidInput(problems)
        user = None
        if isinstance(wanted.password, str):
            username = wanted.username if isinstance(wanted.username, str) else str(before.username)
            user = await self._user(method_id, username, wanted.password)
        async with self._publishing.change(actor) as change:
            method = found(await auth_methods.by_id(change.session, method_id))
            if isinstance(wanted.username, str) or user is not None:
                await _replace_user(change, method, wanted.username, user)
            for field in ("name", "description", "is_active", "algorithm", "expire_minutes", "username", "key_prefix"):
                value = getattr(wanted, field)
                if value is not UNSET and value is not None:
                    setattr(method, field, value.strip() if field == "name" else value)
            await auth_methods.save(change.session, method)
            change.touch(SpecKind.AUTH_METHOD, method_id)
            change.audit("update", "auth_method", method_id, f"changed auth method {method.name!r}")
        return method, change.revision

    async def delete(self, method_id: str, actor: Actor) -> int:
        """Remove it and its credentials; endpoints that use it are detached and answer 401. Raises `NotFound`."""
        async with self._publishing.change(actor) as change:
            method = found(await auth_methods.by_id(change.session, method_id))
            detached = await endpoints.detach(change.session, method_id)
            await credential_uses.forget_of_method(change.session, method_id)
            await auth_methods.delete(change.session, method)
            for endpoint_id in detached:
                change.touch(SpecKind.ENDPOINT, endpoint_id)
            change.touch(SpecKind.AUTH_METHOD, method_id)
            change.audit(
                "delete",
                "auth_method",
                method_id,
                f"deleted auth method {method.name!r}; endpoints detached: {len(detached)}",
            )
        return change.revision

    async def rotate(self, method_id: str, actor: Actor) -> tuple[Minted | None, int]:
        """A new secret; everything issued before is invalid. The new key for `api_key`, null for `bearer`.

        Raises `NotFound`, and `NotApplicable` for `basic`.
        """
        before = await self.one(method_id)
        if before.method_type == MethodType.BASIC.value:
            raise NotApplicable("A basic method has no secret to rotate; change the password instead.")
        secret, sealed = new_method_secret(method_id, self._sealer)
        key = None
        if before.method_type == MethodType.API_KEY.value:
            key = await mint_key(before.key_prefix or "", new_id(), secret, self._sealer)
        async with self._publishing.change(actor) as change:
            method = found(await auth_methods.by_id(change.session, method_id))
            if (method.key_prefix, method.sealed) != (before.key_prefix, before.sealed):
                raise NotApplicable("The auth method was changed by somebody else at this moment; try again.")
            method.sealed = sealed
            live = await credentials.live(change.session, method_id)
            consumer = live[0].consumer if len(live) == 1 else method.name
            for revoked in await credentials.revoke(change.session, method_id):
                change.touch(SpecKind.CREDENTIAL, revoked)
            await auth_methods.save(change.session, method)
            change.touch(SpecKind.AUTH_METHOD, method_id)
            if key is not None:
                await _add_credential(change, method, key, consumer)
            change.audit(
                "rotate",
                "auth_method",
                method_id,
                f"rotated the secret of {method.name!r}; credentials revoked: {len(live)}",
            )
        return key, change.revision

    def _row_of(self, wanted: MethodCreate) -> AuthMethod:
        method = AuthMethod(
            id=new_id(),
            name=wanted.name.strip(),
            description=wanted.description,
            method_type=wanted.method_type.value,
            is_active=wanted.is_active,
        )
        if wanted.method_type is MethodType.BASIC:
            method.username = wanted.username
            return method
        if wanted.method_type is MethodType.BEARER:
            method.algorithm = wanted.algorithm or DEFAULT_ALGORITHM
            method.expire_minutes = wanted.expire_minutes or DEFAULT_EXPIRE_MINUTES
        else:
            method.key_prefix = DEFAULT_KEY_PREFIX if wanted.key_prefix is None else wanted.key_prefix
        _, method.sealed = new_method_secret(method.id, self._sealer)
        return method

    async def _user(self, method_id: str, username: str, password: str) -> Credential:
        credential_id = new_id()
        sealed = await sealed_password(credential_id, password, self._sealer)
        return Credential(id=credential_id, auth_method_id=method_id, consumer=username, sealed=sealed)


async def _add_credential(change: Change, method: AuthMethod, minted: Minted, consumer: str) -> None:
    row = Credential(id=minted.credential_id, auth_method_id=method.id, consumer=consumer, sealed=minted.sealed)
    await credentials.save(change.session, row)
    change.touch(SpecKind.CREDENTIAL, row.id)


async def _replace_user(change: Change, method: AuthMethod, username: object, user: Credential | None) -> None:
    """The `basic` method's own user under another name or with another password."""
    current = await credentials.live_by_consumer(change.session, method.id, str(method.username))
    if user is not None:
        if current is not None:
            for revoked in await credentials.revoke(change.session, method.id, current.id):
                change.touch(SpecKind.CREDENTIAL, revoked)
        await credentials.save(change.session, user)
        change.touch(SpecKind.CREDENTIAL, user.id)
    elif current is not None and isinstance(username, str):
        current.consumer = username
        await credentials.save(change.session, current)
        change.touch(SpecKind.CREDENTIAL, current.id)


def found(method: AuthMethod | None) -> AuthMethod:
    """The method, or `NotFound`."""
    if method is None:
        raise NotFound("There is no such auth method.")
    return method
