"""The `querygateway` command as its users meet it: help, exit statuses, what goes where."""

import io
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import key_material, migration, password_hash
from cli.main import main
from control_plane.settings import VARIABLES as CONTROL_PLANE
from data_plane.settings import VARIABLES as DATA_PLANE
from qg_core.environment import Variable
from qg_core.specs import AuthMethodSecret
from qg_security.admin_tokens import admin_keys
from qg_security.passwords import is_bcrypt_hash, matches
from qg_security.sealing import Sealer
from qg_security.signing import Ed25519Signer, Ed25519Verifier
from worker.settings import VARIABLES as WORKER

TIMEOUT_S = 60.0
COMMAND = [sys.executable, "-m", "cli.main"]
SUBCOMMANDS = ["control-plane", "data-plane", "worker", "drain", "migrate", "keys", "hash-password"]


def run(
    *arguments: str, stdin: bytes = b"", environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        timeout=TIMEOUT_S,
        env={"PATH": os.environ["PATH"], **(environ or {})},
        check=False,
    )


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """`pipe(sent)`: what this process reads from standard input, and no terminal."""
    return lambda sent: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(sent)))


def output_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments, {}) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], *[[name] for name in SUBCOMMANDS], ["keys", "new"]])
def test_help_helps(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([*arguments, "--help"], {})
    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert "usage: querygateway" in shown
    if arguments and arguments[0] in {"control-plane", "data-plane", "worker", "migrate"}:
        assert "docs/settings.md" in shown
    if not arguments:
        assert all(name in shown for name in SUBCOMMANDS)


@pytest.mark.parametrize(
    ("name", "variables"), [("control-plane", CONTROL_PLANE), ("data-plane", DATA_PLANE), ("worker", WORKER)]
)
def test_the_help_of_a_service_names_the_settings_it_has(
    name: str, variables: tuple[Variable, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([name, "--help"], {})
    shown = capsys.readouterr().out.partition("Required:")[2]
    required, _, rest = shown.partition("Often set:")
    often, _, never = rest.partition("Never give it:")
    word = re.compile(r"\b[A-Z][A-Z_]{3,}[A-Z]\b")
    own = {variable.name for variable in variables}
    assert set(word.findall(required)) == {variable.name for variable in variables if variable.default is None}
    assert set(word.findall(often)) - {"SIGTERM"} <= own
    assert not set(word.findall(never)) & own - {"SIGTERM"}


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["data"], ["keys"], ["keys", "old"], ["hash-password", "secret"], ["migrate", "-x"]]
)
def test_a_wrong_command_line_is_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments, {})
    assert left.value.code == 2


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"], {})
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith("querygateway 0.")


def test_new_keys_work_where_they_are_used(capsys: pytest.CaptureFixture[str]) -> None:
    values = json.loads(output_of(capsys, "keys", "new", "--format", "json"))
    assert list(values) == list(key_material._COMMENTS)
    for name in ("ENCRYPTION_KEY", "BUNDLE_SEAL_KEY"):
        sealer = Sealer([values[name]])
        assert sealer.open("r", sealer.seal("r", AuthMethodSecret("x")), AuthMethodSecret) == AuthMethodSecret("x")
    signature = Ed25519Signer(values["BUNDLE_SIGNING_KEY"]).sign("c", values["GATEWAY_ID"], b"p")
    Ed25519Verifier([values["BUNDLE_VERIFY_KEYS"]]).verify("c", values["GATEWAY_ID"], b"p", signature)
    assert admin_keys([values["JWT_SECRET_KEY"]])


def test_every_set_of_keys_is_new() -> None:
    one, two = key_material.new_values(), key_material.new_values()
    assert not set(one.values()) & set(two.values())
    assert len(set(one.values())) == len(one)


def test_the_env_block_means_the_same_to_a_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    block = output_of(capsys, "keys", "new", "--gateway-id", "gw-1")
    (tmp_path / "env").write_text(block)
    script = f"set -a; . {tmp_path / 'env'}; {sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    found = json.loads(subprocess.run(["sh", "-c", script], capture_output=True, timeout=TIMEOUT_S, check=True).stdout)
    lines = dict(line.split("=", 1) for line in block.splitlines() if not line.startswith("#"))
    assert lines["GATEWAY_ID"] == "gw-1"
    assert len(lines) == 6
    assert {name: found[name] for name in lines} == lines


@pytest.mark.parametrize("gateway_id", ["ab", "A-B-C", "a b c", "x" * 65, "gw\n1", ""])
def test_a_bad_gateway_id_is_refused(gateway_id: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(["keys", "new", "--gateway-id", gateway_id], {})
    assert left.value.code == 2


def test_hash_password_reads_one_line_from_a_pipe() -> None:
    done = run("hash-password", stdin="pä ss\r\n".encode())
    hashed = done.stdout.decode().strip()
    assert done.returncode == 0
    assert done.stdout.count(b"\n") == 1
    assert is_bcrypt_hash(hashed)
    assert matches("pä ss".encode(), hashed)
    assert b"at least 8 characters" in done.stderr


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n", b"\nmore"])
def test_the_end_of_the_line_is_no_part_of_the_password(pipe: Callable[[bytes], None], ending: bytes) -> None:
    pipe("pä ss".encode() + ending)
    assert password_hash._piped() == "pä ss"


def test_hash_password_does_not_warn_of_eight_characters(
    pipe: Callable[[bytes], None], capsys: pytest.CaptureFixture[str]
) -> None:
    pipe(b"8 chars.")
    assert main(["hash-password"], {}) == 0
    shown = capsys.readouterr()
    assert matches(b"8 chars.", shown.out.strip())
    assert shown.err == ""


@pytest.mark.parametrize("stdin", [b"", b"\n", b"x" * 73, b"x" * 100_000, b"\xff\xfe", b"a\0b"])
def test_hash_password_refuses_what_is_no_password(
    pipe: Callable[[bytes], None], capsys: pytest.CaptureFixture[str], stdin: bytes
) -> None:
    pipe(stdin)
    assert main(["hash-password"], {}) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("querygateway: ")
    assert shown.err.count("\n") == 1


def on_terminal(*answers: bytes) -> tuple[int, bytes]:
    """Run `hash-password` on a terminal of its own, answer its prompts; the exit status and all it showed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [*COMMAND, "hash-password"])  # noqa: S606 -- getpass wants a terminal of its own
    shown = b""
    waiting = list(answers)
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1.0)[0]:
            continue
        try:
            chunk = os.read(terminal, 4096)
        except OSError:  # Linux: the other end is closed
            break
        if not chunk:
            break
        shown += chunk
        if waiting and chunk.rstrip(b" ").endswith(b":"):
            os.write(terminal, waiting.pop(0) + b"\n")
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


def test_hash_password_asks_twice_on_a_terminal_and_shows_nothing() -> None:
    status, shown = on_terminal(b"correct horse", b"correct horse")
    assert status == 0
    assert b"correct horse" not in shown
    assert matches(b"correct horse", shown.split()[-1].decode())


def test_hash_password_refuses_two_different_answers() -> None:
    status, shown = on_terminal(b"one", b"two")
    assert status == 2
    assert b"differ" in shown
    assert b"$2b$" not in shown


def test_wrong_settings_are_all_shown_at_once() -> None:
    done = run("data-plane")
    assert done.returncode == 2
    assert done.stdout == b""
    for name in (b"GATEWAY_ID", b"REDIS_URL", b"BUNDLE_SEAL_KEY", b"BUNDLE_VERIFY_KEYS"):
        assert name in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("url", ["", "mysql://u:sekret@h/d", "postgresql://u:sekret@h", "http://[::1/sekret"])
def test_migrate_refuses_other_urls_without_repeating_them(capsys: pytest.CaptureFixture[str], url: str) -> None:
    assert main(["migrate"], {"MIGRATION_DATABASE_URL": url}) == 2
    shown = capsys.readouterr().err
    assert "MIGRATION_DATABASE_URL" in shown
    assert "sekret" not in shown


def test_a_migration_that_can_not_connect_fails_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://u:sekret@127.0.0.1:1/x\n")
    done = run("migrate", environ={"MIGRATION_DATABASE_URL_FILE": str(tmp_path / "url")})
    assert done.returncode == 1
    assert done.stderr.startswith(b"querygateway: the migration failed")
    assert done.stderr.count(b"\n") == 1
    assert b"sekret" not in done.stderr


def test_the_settings_page_has_the_variable_of_migrate() -> None:
    page = (Path(__file__).parents[3] / "docs" / "settings.md").read_text(encoding="utf-8")
    section = page.split("## `querygateway migrate`", 1)[1].split("\n## ", 1)[0]
    for variable in migration.VARIABLES:
        assert f"| `{variable.name}` | required | {variable.description} Secret. |" in section


def test_output_nobody_reads_is_no_traceback() -> None:
    script = f"{' '.join(COMMAND)} keys new | true"
    done = subprocess.run(["sh", "-c", script], capture_output=True, timeout=TIMEOUT_S, check=False)
    assert b"Traceback" not in done.stderr


def test_the_command_line_itself_loads_nothing_that_a_data_plane_must_not() -> None:
    script = (
        "import sys, cli.main; cli.main.make_parser(); "
        "sys.exit(', '.join({'sqlalchemy', 'asyncpg', 'alembic', 'litestar', 'oracledb'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr
