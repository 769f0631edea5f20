"""Adding, changing and removing admins; a change of password or role ends the tokens issued before."""

import asyncio
import secrets

from msgspec import UNSET, UnsetType

from control_plane.actors import Actor
from control_plane.admins.views import AdminCreate, AdminUpdate
from control_plane.input.kinds import new_id
from control_plane.publishing.service import Publishing
from control_plane.roles import Role
from control_plane.sign_in.secret import AdminSecret, sealed_admin_row
from qg_core.errors import FieldProblem, InvalidInput, NotApplicable, NotFound
from qg_security.passwords import hash_password
from qg_security.sealing import Sealer
from qg_store.engine import SessionFactory
from qg_store.models import Admin
from qg_store.repositories import admins


class Admins:
    def __init__(self, *, sessions: SessionFactory, publishing: Publishing, sealer: Sealer) -> None:
        self._sessions = sessions
        self._publishing = publishing
        self._sealer = sealer

    async def every(self) -> list[Admin]:
        """All admins by name."""
        async with self._sessions() as session:
            return await admins.every(session)

    async def one(self, admin_id: str) -> Admin:
        """One admin. Raises `NotFound`."""
        async with self._sessions() as session:
            return _found(await admins.by_id(session, admin_id))

    async def create(self, wanted: AdminCreate, actor: Actor) -> tuple[Admin, int]:
        """A new admin and the revision. Raises `InvalidInput`, `NameTaken`."""
        bcrypt_hash = await hashed(wanted.password)
        admin_id = new_id()
        admin = Admin(
            id=admin_id,
            username=wanted.username,
            role=wanted.role.value,
            sealed=self._sealer.seal(sealed_admin_row(admin_id), AdminSecret(bcrypt_hash)),
            token_version=first_token_version(),
        )
        async with self._publishing.change(actor) as change:
            await admins.save(change.session, admin)
            change.audit("create", "admin", admin_id, f"created admin {admin.username!r} as {admin.role}")
        return admin, change.revision

    async def update(self, admin_id: str, wanted: AdminUpdate, actor: Actor) -> tuple[Admin, int]:
        """Change password or role. Raises `NotFound`, `InvalidInput`, `NotApplicable` for the last admin."""
        bcrypt_hash = await _hashed_or_unset(wanted.password)
        async with self._publishing.change(actor) as change:
            admin = _found(await admins.by_id(change.session, admin_id))
            said = []
            if wanted.role is not UNSET and wanted.role.value != admin.role:
                if wanted.role is not Role.ADMIN:
                    await _keep_one(await admins.others_with_role(change.session, Role.ADMIN.value, admin_id), admin)
                said.append(f"role {admin.role} to {wanted.role.value}")
                admin.role = wanted.role.value
            if bcrypt_hash is not UNSET:
                admin.sealed = self._sealer.seal(sealed_admin_row(admin_id), AdminSecret(bcrypt_hash))
                said.append("password")
            if said:
                admin.token_version += 1
                await admins.save(change.session, admin)
                change.audit("update", "admin", admin_id, f"changed admin {admin.username!r}: {', '.join(said)}")
        return admin, change.revision

    async def delete(self, admin_id: str, actor: Actor) -> int:
        """Remove; the admin's tokens end at once. Raises `NotFound`, `NotApplicable` for the last admin."""
        async with self._publishing.change(actor) as change:
            admin = _found(await admins.by_id(change.session, admin_id))
            await _keep_one(await admins.others_with_role(change.session, Role.ADMIN.value, admin_id), admin)
            await admins.delete(change.session, admin)
            change.audit("delete", "admin", admin_id, f"removed admin {admin.username!r}")
        return change.revision


async def hashed(password: str) -> str:
    """The bcrypt hash, made in a thread. Raises `InvalidInput`."""
    try:
        return await asyncio.to_thread(hash_password, password)
    except ValueError as error:
        raise InvalidInput([FieldProblem("password", str(error))]) from None


def first_token_version() -> int:
    """Random: a token of a removed admin must not fit one that is made later under the same name."""
    return secrets.randbelow(1_000_000_000) + 1


async def _hashed_or_unset(password: str | UnsetType) -> str | UnsetType:
    return UNSET if password is UNSET else await hashed(password)


async def _keep_one(others: int, admin: Admin) -> None:
    if admin.role == Role.ADMIN.value and others == 0:
        raise NotApplicable("The last admin can be neither removed nor demoted.")


def _found(admin: Admin | None) -> Admin:
    if admin is None:
        raise NotFound("There is no such admin.")
    return admin
