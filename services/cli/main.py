"""The `querygateway` command: which subcommands there are, and how their outcome becomes an exit status.

0: done; 1: it failed; 2: the command line or the settings are wrong.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from cli import drain, key_material, migration, password_hash, service_start
from qg_core.environment import SettingsInvalid

EXIT_FAILED = 1
EXIT_WRONG_INPUT = 2
EXIT_INTERRUPTED = 130

_DESCRIPTION = """\
QueryGateway turns Oracle SQL queries into authenticated, versioned REST endpoints.
"""

_EPILOG = """\
A new installation: `keys new` for the keys, `hash-password` for the first admin,
`migrate` once per release, then `control-plane` and as many `data-plane` and `worker` as
needed; `drain` before one of them is stopped behind a load balancer.

Everything is set by environment variables. Each subcommand's --help names those that
matter most; docs/settings.md has all of them. A secret X may come as a file: X_FILE.
"""


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run one subcommand; returns the exit status. `argv` is without the program's name."""
    arguments = make_parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments, os.environ if environ is None else environ)
    except SettingsInvalid as error:
        print("querygateway: the settings are not usable (docs/settings.md has all of them):", file=sys.stderr)
        for problem in error.problems:
            print(f"  {problem}", file=sys.stderr)
        return EXIT_WRONG_INPUT
    except BrokenPipeError:
        # Whoever read our output has gone; Python must not complain about it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return status


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="querygateway",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"querygateway {version('querygateway')}")
    subcommands = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", required=True)
    for add in (
        service_start.add_control_plane,
        service_start.add_data_plane,
        service_start.add_worker,
        drain.add_to,
        migration.add_to,
        key_material.add_to,
        password_hash.add_to,
    ):
        add(subcommands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
