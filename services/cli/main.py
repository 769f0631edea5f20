"""The `querygateway` command."""


def main() -> int:
    """Run one subcommand; returns the exit status."""
    raise SystemExit("querygateway: no subcommand yet")
