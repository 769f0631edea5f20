"""`querygateway migrate` on a real, empty Postgres."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest

from cli.main import main
from qg_store import migrate, revisions

TIMEOUT_S = 120.0


def run_migrate(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "migrate"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env={"PATH": os.environ["PATH"], **environ},
        check=False,
    )


class Migrated(NamedTuple):
    """How a run ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


Migrate = Callable[[str], Migrated]


@pytest.fixture
def migrate_here(capsys: pytest.CaptureFixture[str]) -> Migrate:
    """`migrate_here(url)`: the command in this process, which has loaded what it needs."""

    def run(url: str) -> Migrated:
        status = main(["migrate"], {"MIGRATION_DATABASE_URL": url})
        said = capsys.readouterr()
        return Migrated(status, said.out, said.err)

    return run


def test_an_empty_database_is_migrated_and_then_left_alone(postgres_database: str, tmp_path: Path) -> None:
    first = run_migrate({"MIGRATION_DATABASE_URL": postgres_database})
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == f"the database is at revision {revisions.head()} (was: empty)\n"
    (tmp_path / "url").write_text(postgres_database + "\n")
    second = run_migrate({"MIGRATION_DATABASE_URL_FILE": str(tmp_path / "url")})
    assert (second.returncode, second.stderr) == (0, "")
    assert second.stdout == f"the database is at revision {revisions.head()} (as it was)\n"


def test_two_at_once_take_turns(postgres_database: str) -> None:
    command = [sys.executable, "-m", "cli.main", "migrate"]
    environ = {"PATH": os.environ["PATH"], "MIGRATION_DATABASE_URL": postgres_database}
    both = [subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    outcomes = [process.communicate(timeout=TIMEOUT_S) for process in both]
    assert [process.returncode for process in both] == [0, 0], outcomes
    assert migrate.current(postgres_database) == revisions.head()


def test_a_wrong_password_fails_without_showing_it(migrate_here: Migrate, postgres_database: str) -> None:
    before, _, after = postgres_database.partition("@")
    wrong = f"{before.rpartition(':')[0]}:sekret@{after}"
    done = migrate_here(wrong)
    assert done.returncode == 1
    assert "the migration failed" in done.stderr
    assert "sekret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_does_not_exist_fails_in_words(migrate_here: Migrate, postgres_database: str) -> None:
    done = migrate_here(postgres_database.rpartition("/")[0] + "/no_such_database")
    assert done.returncode == 1
    assert "no_such_database" in done.stderr
    assert "Traceback" not in done.stderr


def stamp(url: str, revision: str) -> None:
    """Say that the tables are at `revision`."""

    async def run() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute("UPDATE alembic_version SET version_num = $1", revision)
        finally:
            await connection.close()

    asyncio.run(run())


def test_tables_of_a_newer_release_are_left_alone(migrate_here: Migrate, postgres_database: str) -> None:
    """A roll back of a release runs its migrations, too: it must not fail on what the newer one has added."""
    migrate.upgrade(postgres_database)
    newer = f"{int(revisions.head()) + 1:04d}"
    stamp(postgres_database, newer)
    done = migrate_here(postgres_database)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"at revision {newer}, of a newer release" in done.stdout
    assert migrate.current(postgres_database) == newer


def test_tables_of_something_else_are_refused_in_words(migrate_here: Migrate, postgres_database: str) -> None:
    migrate.upgrade(postgres_database)
    stamp(postgres_database, "ab12cd34ef56")
    done = migrate_here(postgres_database)
    assert done.returncode == 1
    assert "at revision ab12cd34ef56, which is none of ours: nothing was changed" in done.stderr
    assert "Traceback" not in done.stderr
