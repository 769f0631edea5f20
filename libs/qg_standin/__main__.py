"""`python -m qg_standin`: the stand-in alone, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import secrets
import signal
import sys
from pathlib import Path

from qg_standin.demo import SCALE_MAX, counts
from qg_standin.profile import PROFILES
from qg_standin.server import CONNECTIONS_MAX, READER, WRITER, StandinServer

_PASSWORD_VARIABLE = "QG_STANDIN_PASSWORD"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m qg_standin",
        description="A development server that speaks Oracle's wire protocol (19c) over an embedded engine. "
        "Never for production.",
        epilog=f"Accounts: each --user with its --password-file may only read, except {WRITER}, which may write. "
        f"Without --user there is {READER}, whose password is {_PASSWORD_VARIABLE}, or a random one that is "
        "printed on stderr.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=1521, help="TCP port, 0 for a free one (default 1521)")
    parser.add_argument("--service", default="FREEPDB1", help="service name (default FREEPDB1)")
    parser.add_argument("--demo", action="store_true", help="load the supply-chain demo schema")
    parser.add_argument("--scale", type=float, default=1.0, help=f"size of the demo schema, up to {SCALE_MAX:g}")
    parser.add_argument("--user", action="append", default=[], metavar="NAME", help="an account; may be repeated")
    parser.add_argument(
        "--password-file", action="append", default=[], type=Path, metavar="FILE",
        help="holds the password of the --user at the same place",
    )  # fmt: skip
    parser.add_argument(
        "--oracle-version", choices=sorted(PROFILES), default="19", help="the protocol profile (default 19)"
    )
    parser.add_argument("--connections-max", type=int, default=CONNECTIONS_MAX, help="connections beyond are refused")
    parser.add_argument("--log-level", default="WARNING", help="DEBUG, INFO, WARNING (default) or ERROR")
    return parser


def _accounts(arguments: argparse.Namespace) -> dict[str, str]:
    """Names and passwords; SystemExit with a message for what does not fit."""
    names: list[str] = arguments.user
    files: list[Path] = arguments.password_file
    shared = os.environ.get(_PASSWORD_VARIABLE)
    if len(files) > len(names):
        raise SystemExit("more --password-file than --user")
    if not names:
        if not shared:
            shared = secrets.token_urlsafe(18)
            sys.stderr.write(f"password of {READER}: {shared}\n")
        return {READER: shared}
    accounts = {}
    for index, name in enumerate(names):
        password = _read(files[index]) if index < len(files) else shared
        if not password:
            raise SystemExit(f"no password for {name}: give --password-file or set {_PASSWORD_VARIABLE}")
        accounts[name] = password
    return accounts


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise SystemExit(f"{path}: {error.strerror}") from None


async def _serve(arguments: argparse.Namespace) -> None:
    accounts = _accounts(arguments)
    server = StandinServer(
        host=arguments.host,
        port=arguments.port,
        service_name=arguments.service,
        users={name: password for name, password in accounts.items() if name.upper() != WRITER},
        writers={name: password for name, password in accounts.items() if name.upper() == WRITER},
        demo=arguments.demo,
        scale=arguments.scale,
        connections_max=arguments.connections_max,
        profile=PROFILES[arguments.oracle_version],
    )
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        await server.start()
    except OSError as error:
        raise SystemExit(f"{arguments.host}:{arguments.port}: {error.strerror}") from None
    sys.stdout.write(f"qg_standin listening on {server.host}:{server.port} service={server.service_name}\n")
    sys.stdout.flush()
    await stopping.wait()
    await server.stop()


def main() -> None:
    arguments = _parser().parse_args()
    logging.basicConfig(level=arguments.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        counts(arguments.scale)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve(arguments))
    else:
        uvloop.run(_serve(arguments))


if __name__ == "__main__":
    main()
