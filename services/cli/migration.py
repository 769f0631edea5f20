"""`migrate`: bring the database to this release's tables."""

import argparse
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from cli.secret_files import read_secret_file
from cli.subcommands import Subcommands, add_subcommand
from qg_core.environment import Variable, read_settings
from qg_telemetry.redaction import clean

_DETAILS = """\
Runs in one transaction, all or nothing; does nothing when there is nothing to do. Two at
once take turns. Run it before the services of a new release start.

Required:
  MIGRATION_DATABASE_URL   postgresql://user:password@host:port/database, as a user who owns
                           the database; no service needs it

Tables of a newer release stay as they are: this one's services work with them.

The groups qg_owner, qg_app and qg_worker are made when missing; grant qg_app to the control
plane's user. More: docs/settings.md.
"""


class MigrationSettings(msgspec.Struct, frozen=True):
    """What `migrate` is told."""

    url: str

    def __repr__(self) -> str:
        return "MigrationSettings(...)"


def _postgres_url(value: str) -> str:
    try:
        parts = urlsplit(value.strip())
        known = parts.scheme in {"postgresql", "postgres"} and bool(parts.path.strip("/"))
    except ValueError:
        known = False
    if not known:
        raise ValueError("must look like postgresql://user:password@host:port/database")
    return value.strip()


VARIABLES = (
    Variable(
        name="MIGRATION_DATABASE_URL",
        field="url",
        parse=_postgres_url,
        secret=True,
        description="Postgres, as the user who owns the database.",
    ),
)


def add_to(subcommands: Subcommands) -> None:
    """Declare `migrate`."""
    add_subcommand(subcommands, "migrate", "bring the database to this release's tables", _DETAILS, run)


def run(_: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Migrate. Raises `SettingsInvalid`."""
    settings = read_settings(MigrationSettings, VARIABLES, environ, read_secret_file)
    # Here and not above: the other subcommands, a data plane's among them, must not load what talks to Postgres.
    from sqlalchemy.exc import SQLAlchemyError

    from qg_store import migrate, revisions

    try:
        before = migrate.current(settings.url)
        if before is not None and revisions.is_newer(before):
            print(f"the database is at revision {before}, of a newer release than this one: left as it is")
            return 0
        elif before is not None and not revisions.is_known(before):
            print(
                f"querygateway: the database is at revision {before}, which is none of ours: nothing was changed; "
                "is MIGRATION_DATABASE_URL the gateway's database?",
                file=sys.stderr,
            )
            return 1
        migrate.upgrade(settings.url)
    except (SQLAlchemyError, OSError, RuntimeError) as error:
        print(f"querygateway: the migration failed, nothing was changed: {clean(str(error))}", file=sys.stderr)
        return 1
    after = revisions.head()
    print(
        f"the database is at revision {after}" + (" (as it was)" if before == after else f" (was: {before or 'empty'})")
    )
    return 0
