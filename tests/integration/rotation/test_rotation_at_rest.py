"""`ENCRYPTION_KEY`: every secret in Postgres comes under the newest key, whatever happens on the way."""

import asyncio
import os
import signal
import subprocess
import sys
import uuid

import pytest

from control_plane.rotation import at_rest
from control_plane.rotation.command import EXIT_DONE, EXIT_KEYS_NEEDED
from qg_core.specs import ConnectionSecret, CredentialSecret, SpecKind, sealed_row
from qg_security.sealing import Sealer, new_fernet_key
from qg_store.models import Credential
from qg_store.repositories import sealed_secrets
from tests.integration.publishing.rig import BCRYPT
from tests.integration.rotation.leftovers import opened_by
from tests.integration.rotation.turning import Turning


async def test_every_secret_of_every_table_moves_to_the_newest_key(turning: Turning) -> None:
    before = await turning.sealed()
    assert {row.partition(":")[0] for row in before} == {"connection", "auth_method", "credential", "admin"}
    times = await turning.rows("SELECT updated_at FROM connections")
    ran = await turning.rotate()
    assert ran.status == EXIT_DONE, ran.text
    after = await turning.sealed()
    assert opened_by(turning.new.at_rest, after) == set(after) == set(before)
    assert opened_by(turning.old.at_rest, after) == set()
    assert opened_by(turning.new.at_rest, before) == set(), "what was copied before stays under the old key"
    assert await turning.rows("SELECT updated_at FROM connections") == times, "nobody saved anything"


async def test_what_is_done_is_not_done_again(turning: Turning) -> None:
    await turning.rotate()
    before = await turning.sealed(), await turning.rows("SELECT * FROM audit_log"), await turning.rig.publishing.head()
    again = await turning.rotate()
    assert again.status == EXIT_DONE
    assert "nothing to change" in again.lines
    after = await turning.sealed(), await turning.rows("SELECT * FROM audit_log"), await turning.rig.publishing.head()
    assert after == before


async def test_a_check_changes_nothing_and_says_what_is_needed(turning: Turning) -> None:
    before = await turning.sealed(), await turning.rig.publishing.head()
    checked = await turning.rotate(check=True)
    assert checked.status == EXIT_KEYS_NEEDED
    assert "ENCRYPTION_KEY: secrets of connections: 1 of 1 not under the newest key" in checked.lines
    assert "older keys are still needed: ENCRYPTION_KEY, BUNDLE_SEAL_KEY, BUNDLE_SIGNING_KEY" in checked.lines
    assert (await turning.sealed(), await turning.rig.publishing.head()) == before
    await turning.rotate()
    assert (await turning.rotate(check=True)).status == EXIT_DONE


async def test_it_is_written_down_and_no_secret_is_shown(turning: Turning) -> None:
    ran = await turning.rotate()
    entries = [str(row) for row in await turning.rows("SELECT actor, action, summary FROM audit_log")]
    assert sum("rotate_keys" in entry for entry in entries) >= 6
    shown = "\n".join([ran.text, *entries])
    for name, value in turning.environ().items():
        if name not in {"GATEWAY_ID", "ADMIN_USERNAME", "APP_ENV"}:
            assert not any(part in shown for part in value.split(",")), name
    assert "gAAAA" not in shown


@pytest.mark.long
async def test_a_secret_that_opens_under_no_key_holds_up_no_other(turning: Turning) -> None:
    stray = Sealer([new_fernet_key()]).seal("connection:x", ConnectionSecret("lost"))
    await turning.rows("UPDATE auth_methods SET sealed = $1", stray)
    ran = await turning.rotate()
    assert ran.status == EXIT_DONE, "no key that we have is needed for it"
    assert (
        "ENCRYPTION_KEY: secrets of auth_methods: 0 of 1 not under the newest key, 1 under none of the keys"
        in ran.lines
    )
    after = await turning.sealed()
    assert len(opened_by(turning.new.at_rest, after)) == len(after) - 1


@pytest.mark.long
async def test_an_admins_edit_meanwhile_wins(turning: Turning) -> None:
    """A row that an open transaction has locked is passed over, and taken with the next pass as it is then."""
    ((row_id,),) = await turning.rows("SELECT id::text FROM connections")
    row = sealed_row(SpecKind.CONNECTION, str(row_id))
    edited = Sealer([turning.old.at_rest]).seal(row, ConnectionSecret("changed"))
    async with turning.rig.sessions() as session:
        await sealed_secrets.lock(session, "connections", [str(row_id)])
        running = asyncio.create_task(turning.rotate())
        await asyncio.sleep(0.4)
        assert not running.done(), "it waits for that row, and has no lock on it"
        await sealed_secrets.replace(session, "connections", {str(row_id): edited})
        await session.commit()
    assert (await running).status == EXIT_DONE
    opened = Sealer([turning.new.at_rest]).open(row, (await turning.sealed())[row], ConnectionSecret)
    assert opened.password == "changed"


async def _many_credentials(turning: Turning, count: int) -> None:
    ((method_id,),) = await turning.rows("SELECT id::text FROM auth_methods")
    sealer = turning.rig.at_rest
    async with turning.rig.sessions.begin() as session:
        for number in range(count):
            row_id = str(uuid.uuid4())
            sealed = sealer.seal(sealed_row(SpecKind.CREDENTIAL, row_id), CredentialSecret(BCRYPT))
            session.add(Credential(id=row_id, auth_method_id=str(method_id), consumer=f"c{number}", sealed=sealed))


async def test_killed_in_the_middle_it_goes_on_where_it_was(turning: Turning) -> None:
    await _many_credentials(turning, 3 * at_rest.ROWS_PER_BATCH)
    environ = {**turning.environ(), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "cli.main", "keys", "rotate"]
    assert await asyncio.to_thread(_killed_after, "secrets of credentials", command, environ)
    before = await turning.sealed()
    done = opened_by(turning.new.at_rest, before)
    assert done, "what was told was committed"
    assert opened_by(turning.new.at_rest, before) | opened_by(turning.old.at_rest, before) == set(before)
    assert (await turning.rotate()).status == EXIT_DONE
    after = await turning.sealed()
    assert opened_by(turning.new.at_rest, after) == set(after)
    assert all(after[row] == before[row] for row in done), "what was done is not done again"


def _killed_after(wanted: str, command: list[str], environ: dict[str, str]) -> str:
    """Kill the command as soon as it has said `wanted`; the line, empty when it never came."""
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        line = next((line for line in running.stdout if wanted in line), "")
        running.send_signal(signal.SIGKILL)
    return line


@pytest.mark.long
async def test_two_at_once_do_no_harm(turning: Turning) -> None:
    await _many_credentials(turning, at_rest.ROWS_PER_BATCH + 50)
    first, second = await asyncio.gather(turning.rotate(), turning.rotate())
    assert (first.status, second.status) == (EXIT_DONE, EXIT_DONE)
    after = await turning.sealed()
    assert opened_by(turning.new.at_rest, after) == set(after)
    assert len(await turning.rows("SELECT FROM published")) == 4


async def test_a_secret_moved_to_another_row_is_not_sealed_again(turning: Turning) -> None:
    """Else a rotation would make a foreign token good."""
    other = turning.rig.connection(name="other")
    await turning.rig.add(other)
    ((moved,),) = await turning.rows("SELECT sealed FROM connections WHERE name = 'erp'")
    await turning.rows("UPDATE connections SET sealed = $1 WHERE name = 'other'", moved)
    await turning.rotate()
    ((still,),) = await turning.rows("SELECT sealed FROM connections WHERE name = 'other'")
    assert still == moved


@pytest.mark.long
async def test_another_gateways_database_is_left_alone(turning: Turning) -> None:
    ran = await turning.rotate(environ=turning.environ(GATEWAY_ID="gw-other"))
    assert ran.status == 1
    assert "belongs to gateway" in ran.text
    assert opened_by(turning.old.at_rest, await turning.sealed())
