"""`make helm-check`: everything that needs helm. A line per check with what was looked at; status 1 on any finding."""

import sys
import time
from collections import Counter
from collections.abc import Callable

from helm.checks import delivered, objects, refusals, rehearsal
from helm.checks.helm_tool import HelmUnavailable, fetch
from helm.checks.object_schemas import SchemasMissing

PASSED, FAILED, SKIPPED = "passed", "FAILED", "skipped"

CHECKS: tuple[Callable[[], tuple[str, list[str]]], ...] = (
    objects.lint,
    objects.schemas,
    objects.pods,
    objects.networks,
    objects.fit,
    objects.environments,
    objects.replaced,
    objects.secrets_stay_inside,
    refusals.no_default_secret,
    refusals.bad_values,
    rehearsal.rehearsal,
    delivered.notes,
    delivered.alerts,
    delivered.promtool,
    delivered.package,
)


def main() -> int:
    """Run all checks."""
    try:
        fetch()
        states = Counter(_run(check) for check in CHECKS)
    except (HelmUnavailable, SchemasMissing) as error:
        sys.stderr.write(f"helm-check can't run: {error}\n")
        return 1
    sys.stdout.write(f"helm-check: {', '.join(f'{count} {state}' for state, count in states.items())}\n")
    return 1 if states[FAILED] else 0


def _run(check: Callable[[], tuple[str, list[str]]]) -> str:
    started = time.monotonic()
    looked_at, findings = check()
    state = FAILED if findings else SKIPPED if looked_at.startswith(delivered.NOT_DONE) else PASSED
    name = check.__name__.replace("_", " ")
    sys.stdout.write(f"{state:8} {name:20} {looked_at} ({time.monotonic() - started:.1f} s)\n")
    sys.stdout.writelines(f"         {finding}\n" for finding in findings)
    sys.stdout.flush()
    return state


if __name__ == "__main__":
    sys.exit(main())
