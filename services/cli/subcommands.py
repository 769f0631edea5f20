"""How a subcommand is declared."""

import argparse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subcommands = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Subcommands = object

Run = Callable[[argparse.Namespace, Mapping[str, str]], int]
"""Takes the parsed arguments and the environment, returns the exit status."""


def add_subcommand(
    subcommands: Subcommands, name: str, summary: str, details: str, run: Run
) -> argparse.ArgumentParser:
    """Declare one subcommand; `details` is shown by its own --help."""
    parser = subcommands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.\n\n{details}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    return parser
