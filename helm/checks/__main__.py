"""`make helm-check`: everything that needs helm. A line per check with what was looked at; status 1 on any finding."""

import sys
import time
from collections.abc import Callable

from helm.checks import rendered
from helm.checks.helm_tool import HelmUnavailable, fetch
from helm.checks.object_schemas import SchemasMissing

CHECKS: tuple[Callable[[], tuple[str, list[str]]], ...] = (
    rendered.lint,
    rendered.schemas,
    rendered.pods,
    rendered.networks,
    rendered.fit,
    rendered.environments,
    rendered.secrets_stay_inside,
    rendered.no_default_secret,
    rendered.bad_values,
    rendered.notes,
    rendered.alerts,
    rendered.promtool,
    rendered.package,
)


def main() -> int:
    """Run all checks."""
    try:
        fetch()
        failed = sum(_run(check) for check in CHECKS)
    except (HelmUnavailable, SchemasMissing) as error:
        sys.stderr.write(f"helm-check can't run: {error}\n")
        return 1
    sys.stdout.write(f"helm-check: {len(CHECKS) - failed} of {len(CHECKS)} checks passed\n")
    return 1 if failed else 0


def _run(check: Callable[[], tuple[str, list[str]]]) -> bool:
    started = time.monotonic()
    looked_at, findings = check()
    state = "FAILED" if findings else "ok"
    name = check.__name__.replace("_", " ")
    sys.stdout.write(f"{state:6} {name:20} {looked_at} ({time.monotonic() - started:.1f} s)\n")
    sys.stdout.writelines(f"         {finding}\n" for finding in findings)
    sys.stdout.flush()
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
