"""`keys new`: everything secret that a new installation needs, ready to paste. `keys rotate` is `key_rotation`."""

import argparse
import re
import secrets
import sys
from collections.abc import Mapping

import msgspec

from cli import key_rotation
from cli.subcommands import Subcommands, add_subcommand
from qg_security.sealing import new_fernet_key
from qg_security.signing import generate_signing_key

JWT_SECRET_BYTES = 64

_GATEWAY_ID = re.compile(r"[a-z0-9-]{3,64}\Z")

_GROUP_DETAILS = """\
`new` makes key material, printed and never stored; `rotate` brings what is kept under older keys
under the newest ones.
"""

_NEW_DETAILS = """\
Prints new values of
  GATEWAY_ID           which gateway this is (not secret; never change it afterwards)
  ENCRYPTION_KEY       control plane only: seals secrets in Postgres
  BUNDLE_SEAL_KEY      all services: seals secrets in what is published
  BUNDLE_SIGNING_KEY   control plane only: signs what is published
  BUNDLE_VERIFY_KEYS   all services: the public half (not secret)
  JWT_SECRET_KEY       control plane only: signs admins' tokens

Keep them in a secret store. Whoever has ENCRYPTION_KEY and a backup of Postgres has every
database password. To rotate one: add the new value to every reader, let writers use it, run
`querygateway keys rotate`, remove the old one (docs/key_rotation.md).
"""

_COMMENTS = {
    "GATEWAY_ID": "all services; not secret",
    "ENCRYPTION_KEY": "control plane only",
    "BUNDLE_SEAL_KEY": "all services",
    "BUNDLE_SIGNING_KEY": "control plane only",
    "BUNDLE_VERIFY_KEYS": "all services; not secret",
    "JWT_SECRET_KEY": "control plane only",
}


def add_to(subcommands: Subcommands) -> None:
    """Declare `keys` and `keys new`."""
    group = add_subcommand(subcommands, "keys", "make and rotate key material", _GROUP_DETAILS, new)
    inner = group.add_subparsers(title="subcommands", metavar="SUBCOMMAND", required=True)
    parser = add_subcommand(inner, "new", "print a full set of new keys", _NEW_DETAILS, new)
    parser.add_argument("--format", choices=("env", "json"), default="env", help="how to print them (default: env)")
    parser.add_argument("--gateway-id", type=_gateway_id, metavar="ID", help="use this GATEWAY_ID instead of a new one")
    key_rotation.add_to(inner)


def new(arguments: argparse.Namespace, _: Mapping[str, str]) -> int:
    """Print one set."""
    values = new_values(arguments.gateway_id)
    if arguments.format == "json":
        print(msgspec.json.format(msgspec.json.encode(values), indent=2).decode("ascii"))
    else:
        for name, value in values.items():
            print(f"# {_COMMENTS[name]}\n{name}={value}")
    if sys.stdout.isatty():
        print("\nThese are shown once and stored nowhere: put them into a secret store.", file=sys.stderr)
    return 0


def new_values(gateway_id: str | None = None) -> dict[str, str]:
    """A new set, by the names of the settings; no value needs quoting in an env file or a shell."""
    signing_key, verify_key = generate_signing_key()
    return {
        "GATEWAY_ID": gateway_id or f"qg-{secrets.token_hex(6)}",
        "ENCRYPTION_KEY": new_fernet_key(),
        "BUNDLE_SEAL_KEY": new_fernet_key(),
        "BUNDLE_SIGNING_KEY": signing_key,
        "BUNDLE_VERIFY_KEYS": verify_key,
        "JWT_SECRET_KEY": secrets.token_hex(JWT_SECRET_BYTES),
    }


def _gateway_id(text: str) -> str:
    if not _GATEWAY_ID.match(text):
        raise argparse.ArgumentTypeError("must be 3 to 64 of a-z, 0-9 and -")
    return text
