"""`querygateway migrate` on a real, empty Postgres."""

import os
import subprocess
import sys
from pathlib import Path

from qg_store import migrate

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


def test_an_empty_database_is_migrated_and_then_left_alone(postgres_database: str, tmp_path: Path) -> None:
    first = run_migrate({"MIGRATION_DATABASE_URL": postgres_database})
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == f"the database is at revision {migrate.head()} (was: empty)\n"
    (tmp_path / "url").write_text(postgres_database + "\n")
    second = run_migrate({"MIGRATION_DATABASE_URL_FILE": str(tmp_path / "url")})
    assert (second.returncode, second.stderr) == (0, "")
    assert second.stdout == f"the database is at revision {migrate.head()} (as it was)\n"


def test_two_at_once_take_turns(postgres_database: str) -> None:
    command = [sys.executable, "-m", "cli.main", "migrate"]
    environ = {"PATH": os.environ["PATH"], "MIGRATION_DATABASE_URL": postgres_database}
    both = [subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    outcomes = [process.communicate(timeout=TIMEOUT_S) for process in both]
    assert [process.returncode for process in both] == [0, 0], outcomes
    assert migrate.current(postgres_database) == migrate.head()


def test_a_wrong_password_fails_without_showing_it(postgres_database: str) -> None:
    before, _, after = postgres_database.partition("@")
    wrong = f"{before.rpartition(':')[0]}:sekret@{after}"
    done = run_migrate({"MIGRATION_DATABASE_URL": wrong})
    assert done.returncode == 1
    assert "the migration failed" in done.stderr
    assert "sekret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_does_not_exist_fails_in_words(postgres_database: str) -> None:
    done = run_migrate({"MIGRATION_DATABASE_URL": postgres_database.rpartition("/")[0] + "/no_such_database"})
    assert done.returncode == 1
    assert "no_such_database" in done.stderr
    assert "Traceback" not in done.stderr
