"""The SQL of the chart's README, on a server that knows nothing yet: afterwards the migration runs and users fit."""

import re

import asyncpg
import pytest

from cli.main import main
from helm.checks.places import README
from qg_devstack.servers import PostgresAddress
from tests.fixtures.postgres import StartPostgres

PASSWORD = "of-this-test-alone"


def statements() -> list[str]:
    """What a database administrator is to run before the first install."""
    [sql] = re.findall(r"^```sql\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [statement for statement in sql.replace("'...'", f"'{PASSWORD}'").split(";") if statement.strip()]


def url(address: PostgresAddress, user: str, password: str, database: str) -> str:
    return f"postgresql://{user}:{password}@{address.host}:{address.port}/{database}"


async def test_roles_and_users_that_exist_before_the_first_migration_are_taken(start_postgres: StartPostgres) -> None:
    address = start_postgres().address
    connection = await asyncpg.connect(url(address, address.user, address.password, "postgres"))
    try:
        for statement in statements():
            await connection.execute(statement)
    finally:
        await connection.close()

    migration = {"MIGRATION_DATABASE_URL": url(address, "gateway_migrate", PASSWORD, "querygateway")}
    assert main(["migrate"], migration) == 0

    for user, reads, never in (("gateway_control", "admins", None), ("gateway_worker", "job_runs", "admins")):
        connection = await asyncpg.connect(url(address, user, PASSWORD, "querygateway"))
        try:
            assert await connection.fetchval(f"SELECT count(*) FROM {reads}") == 0
            if never is not None:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.fetchval(f"SELECT count(*) FROM {never}")
        finally:
            await connection.close()
