"""The three roles. They are group roles of the whole server: made when missing, never dropped.

`qg_owner` owns the tables, `qg_app` is the control plane's, `qg_worker` the workers'. Users that can sign in are the
platform's business: it grants each one group (`GRANT qg_app TO control_plane_user`).
"""

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

OWNER = "qg_owner"
APP = "qg_app"
WORKER = "qg_worker"


class RolesUnavailable(RuntimeError):
    """The migrating user can't make the roles, or can't act as `qg_owner`."""


# Two databases of one server may be migrated at once, so a role can appear between the look and the creation.
_MAKE = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
        CREATE ROLE {role} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$
"""
_JOIN = """
DO $$
BEGIN
    IF NOT pg_has_role(session_user, '{role}', 'SET') THEN
        EXECUTE format('GRANT {role} TO %I WITH INHERIT TRUE, SET TRUE', session_user);
    END IF;
END $$
"""
_SCHEMA = (
    f"GRANT USAGE, CREATE ON SCHEMA public TO {OWNER}",
    f"GRANT USAGE ON SCHEMA public TO {APP}, {WORKER}",
)


def prepare(connection: Connection) -> None:
    """Make what is missing and become `qg_owner` for the rest of the transaction. Raises `RolesUnavailable`."""
    try:
        for role in (OWNER, APP, WORKER):
            connection.execute(text(_MAKE.format(role=role)))
        if not connection.scalar(text("SELECT has_schema_privilege(:role, 'public', 'CREATE')"), {"role": OWNER}):
            connection.execute(text(_SCHEMA[0]))
        for role in (APP, WORKER):
            if not connection.scalar(text("SELECT has_schema_privilege(:role, 'public', 'USAGE')"), {"role": role}):
                connection.execute(text(_SCHEMA[1]))
        connection.execute(text(_JOIN.format(role=OWNER)))
        connection.execute(text(f"SET LOCAL ROLE {OWNER}"))
    except DBAPIError as error:
        raise RolesUnavailable(
            f"The migrating user must own the database and may need CREATEROLE, or the roles {OWNER}, {APP} and "
            f"{WORKER} must exist, {OWNER} with CREATE on schema public and granted to it: {error.orig}"
        ) from error
