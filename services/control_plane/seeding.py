"""What a first start puts into an empty database: whose it is, and the first admin."""

import hashlib

from control_plane.admins.service import first_token_version
from control_plane.input.kinds import new_id
from control_plane.roles import Role
from control_plane.sign_in.secret import AdminSecret, sealed_admin_row
from qg_security.sealing import Sealer
from qg_store.engine import SessionFactory
from qg_store.migrations.roles import APP
from qg_store.models import Admin, AuditEntry
from qg_store.repositories import admins, audit_log, gateway
from qg_store.schema_version import database_problem


class DatabaseUnfit(RuntimeError):
    """The database can't be this control plane's; the message says why."""


class GatewayMismatch(DatabaseUnfit):
    """The database belongs to another gateway."""


async def claim_database(sessions: SessionFactory, gateway_id: str) -> None:
    """Make the database this gateway's on the first start.

    Raises `DatabaseUnfit` when it is not migrated or the user lacks its role, `GatewayMismatch` when it is another's.
    """
    async with sessions() as session:
        if problem := await database_problem(session, APP):
            raise DatabaseUnfit(problem)
    async with sessions.begin() as session:
        owner = await gateway.claim(session, gateway_id)
    if owner != gateway_id:
        raise GatewayMismatch(f"GATEWAY_ID is {gateway_id!r}, but this database belongs to gateway {owner!r}")


async def seed_admin(sessions: SessionFactory, sealer: Sealer, username: str, bcrypt_hash: str) -> bool:
    """Take the admin of the environment, once per value; whether anything was done.

    A restart with the same values changes nothing: an admin removed or changed through the API stays so. Other values
    (a lost password, a new name) make that admin anew, with role admin, and end his tokens.
    """
    digest = hashlib.sha256(f"{username}\0{bcrypt_hash}".encode()).hexdigest()
    async with sessions.begin() as session:
        # The lock makes two control planes that start together take turns.
        if await gateway.admin_seed_locked(session) == digest:
            return False
        admin = await admins.by_username(session, username)
        if admin is None:
            admin = Admin(id=new_id(), username=username, token_version=first_token_version())
        else:
            admin.token_version += 1
        admin.role = Role.ADMIN.value
        admin.sealed = sealer.seal(sealed_admin_row(admin.id), AdminSecret(bcrypt_hash))
        await admins.save(session, admin)
        await gateway.note_admin_seed(session, digest)
        await audit_log.add(
            session,
            AuditEntry(
                actor="system",
                action="seed",
                subject_kind="admin",
                subject_id=admin.id,
                summary=f"took admin {username!r} from the environment",
            ),
        )
    return True
