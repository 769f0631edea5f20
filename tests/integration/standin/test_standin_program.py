"""`python -m qg_standin` on its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import oracledb
import pytest

_END_S = 20


def _start(*arguments: str, password: str | None = "pw-of-the-demo-user") -> subprocess.Popen[str]:
    environment = {key: value for key, value in os.environ.items() if key != "QG_STANDIN_PASSWORD"}
    if password is not None:
        environment["QG_STANDIN_PASSWORD"] = password
    return subprocess.Popen(
        [sys.executable, "-m", "qg_standin", "--port", "0", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


def _dsn(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    words = line.split()
    assert words[:3] == ["qg_standin", "listening", "on"], line + (process.stderr.read() if process.stderr else "")
    return f"{words[3]}/{words[4].removeprefix('service=')}"


def test_it_listens_serves_and_ends_on_sigterm(tmp_path: Path) -> None:
    secret = tmp_path / "writer"
    secret.write_text("from a file\n")
    process = _start(
        "--demo", "--scale", "0.01", "--user", "qg_writer", "--password-file", str(secret),
        "--user", "second", "--service", "OTHERPDB",
    )  # fmt: skip
    try:
        dsn = _dsn(process)
        assert dsn.endswith("/OTHERPDB")
        with oracledb.connect(user="qg_writer", password="from a file", dsn=dsn) as connection:
            cursor = connection.cursor()
            cursor.execute("delete from order_lines where order_id = 1")
            connection.rollback()
            assert cursor.execute("select count(*) from customers").fetchone() == (50,)
        with oracledb.connect(user="second", password="pw-of-the-demo-user", dsn=dsn) as connection:
            with pytest.raises(oracledb.DatabaseError, match="ORA-01031"):
                connection.cursor().execute("delete from order_lines")
            process.send_signal(signal.SIGTERM)
            assert process.wait(_END_S) == 0
    finally:
        process.kill()
        process.communicate()


def test_without_a_password_a_random_one_is_made(tmp_path: Path) -> None:
    process = _start(password=None)
    try:
        dsn = _dsn(process)
        assert process.stderr is not None
        password = process.stderr.readline().split()[-1]
        assert len(password) >= 16
        oracledb.connect(user="qg_demo", password=password, dsn=dsn).close()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(["--user", "x", "--password-file", "/nowhere"], "/nowhere"), (["--scale", "0"], "scale"),
     (["--port", "http"], "port")],
)  # fmt: skip
def test_bad_arguments_are_explained(arguments: list[str], word: str) -> None:
    process = _start(*arguments)
    _, stderr = process.communicate(timeout=_END_S)
    assert process.returncode != 0
    assert word in stderr
    assert "Traceback" not in stderr


def test_help_names_every_option() -> None:
    process = _start("--help")
    stdout, _ = process.communicate(timeout=_END_S)
    assert process.returncode == 0
    for option in ("--host", "--port", "--demo", "--scale", "--user", "--password-file", "--service"):
        assert option in stdout
