"""`hash-password`: the bcrypt hash of a password that never appears on a command line."""

import argparse
import getpass
import sys
from collections.abc import Mapping

from cli.subcommands import Subcommands, add_subcommand
from qg_security.passwords import ADMIN_PASSWORD_CHARACTERS_MIN, PASSWORD_BYTES_MAX, hash_password

_DETAILS = f"""\
Asks twice on a terminal; otherwise reads one line from standard input:
  querygateway hash-password < password.txt
Prints the bcrypt hash for ADMIN_PASSWORD_HASH. It holds dollar signs: put it between single
quotes in a shell, and double them ($$) in a compose file. At most {PASSWORD_BYTES_MAX} bytes.

A password is never taken as an argument: other users could see it in the process list.
"""


class PasswordUnusable(ValueError):
    """What was entered can't be a password; the message says why and never repeats it."""


def add_to(subcommands: Subcommands) -> None:
    """Declare `hash-password`."""
    add_subcommand(subcommands, "hash-password", "hash a password for ADMIN_PASSWORD_HASH", _DETAILS, run)


def run(_: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    """Read a password, print its hash."""
    try:
        password = _entered() if sys.stdin.isatty() else _piped()
        hashed = hash_password(password)
    except ValueError as error:
        print(f"querygateway: {error}", file=sys.stderr)
        return 2
    if len(password) < ADMIN_PASSWORD_CHARACTERS_MIN:
        # The admin API refuses it; here, where an operator decides, it is only warned of.
        shortest = f"an admin's should have at least {ADMIN_PASSWORD_CHARACTERS_MIN} characters"
        print(f"querygateway: a short password; {shortest}", file=sys.stderr)
    print(hashed)
    return 0


def _entered() -> str:
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise PasswordUnusable("the two passwords differ")
    return password


def _piped() -> str:
    # One more than needed, so that a longer line is seen to be longer instead of being cut.
    line = sys.stdin.buffer.readline(PASSWORD_BYTES_MAX * 4)
    try:
        return line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError:
        raise PasswordUnusable("the password is not valid UTF-8") from None
