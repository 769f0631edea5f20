"""`keys rotate`: bring what is kept under older keys under the newest ones."""

import argparse
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

from cli.subcommands import Subcommands, add_subcommand

_DETAILS = """\
Run it with the control plane's settings, after the new key was given to every service
(docs/key_rotation.md has the order, key by key):
  ENCRYPTION_KEY       new,old: seals the secrets in Postgres again
  BUNDLE_SEAL_KEY      new,old: publishes the secrets of specs sealed again, tags snapshots and
                       watermarks again, takes old secrets out of what is superseded
  BUNDLE_SIGNING_KEY   new, with both public keys in BUNDLE_VERIFY_KEYS: a checkpoint under the
                       new key; what the old one signed leaves Redis
JWT_SECRET_KEY needs no run: tokens of an older key end by themselves.

Works in small committed steps beside running services. Killed anywhere: run it again. Two at
once do no harm. Nothing to do: it says so and changes nothing.

--check changes nothing and says what is still under older keys. Refuses to begin while a data
plane reports that it lacks the newest keys, unless --regardless.
Exit status: 0 older keys may be removed; 3 they are still needed; 1 it failed; 2 wrong settings.
"""


def add_to(subcommands: Subcommands) -> None:
    """Declare `keys rotate`."""
    parser = add_subcommand(subcommands, "rotate", "bring everything under the newest keys", _DETAILS, run)
    parser.add_argument("--check", "--dry-run", action="store_true", help="only say what is still under older keys")
    parser.add_argument(
        "--regardless", action="store_true", help="also when data planes report that they lack the newest keys"
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Rotate or check. Raises `SettingsInvalid`."""
    # Here and not above: the other subcommands, a data plane's among them, must not load what talks to Postgres.
    rotation = import_module("control_plane.rotation.command")
    rotate = cast(Callable[..., int], rotation.run)
    return rotate(
        environ,
        only_check=bool(arguments.check),
        regardless=bool(arguments.regardless),
        say=_say,
        complain=_complain,
    )


def _say(line: str) -> None:
    # At once, also into a pipe: somebody may be watching a long run.
    print(line, flush=True)


def _complain(line: str) -> None:
    print(f"querygateway: {line}", file=sys.stderr)
