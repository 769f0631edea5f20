"""`python -m qg_devstack up | down`: what `make dev` and `make dev-down` run."""

import argparse
import os
import sys
from pathlib import Path

from qg_devstack.down import down
from qg_devstack.progress import Progress
from qg_devstack.record import Place
from qg_devstack.stack import up


def main() -> int:
    """Run one subcommand on the `.dev` of the clone this package lies in, or on another place."""
    parser = argparse.ArgumentParser(prog="python -m qg_devstack", description="The development stack of this clone.")
    parser.add_argument("action", choices=("up", "down"))
    parser.add_argument("--place", type=Path, default=Path(__file__).resolve().parents[2] / ".dev")
    options = parser.parse_args()
    place = Place(options.place.absolute())
    progress = Progress(sys.stdout)
    try:
        return up(place, os.environ, progress) if options.action == "up" else down(place, progress.say)
    except PermissionError as error:
        progress.show(f"{error.filename}: another user's? The stack of a clone belongs to whoever started it.")
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
