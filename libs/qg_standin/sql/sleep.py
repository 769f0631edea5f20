"""`qg_sleep(seconds)`: a statement that takes its time, for tests of timeouts and cancelling.

The server sleeps once per call before the statement starts, without holding a thread; the call's value
is its argument. The argument is a number or a bind.
"""

from __future__ import annotations

from sqlglot import exp

from qg_standin.failures import unsupported

Seconds = float | str
"""A literal, or the name of the parameter that holds the number."""


def take_sleeps(tree: exp.Expr) -> tuple[Seconds, ...]:
    """Replace every qg_sleep(x) by x and return the xs."""
    sleeps: list[Seconds] = []
    for call in list(tree.find_all(exp.Anonymous)):
        if call.name.upper() != "QG_SLEEP":
            continue
        argument = call.expressions[0] if len(call.expressions) == 1 else None
        if isinstance(argument, exp.Literal) and not argument.is_string:
            sleeps.append(float(argument.name))
        elif isinstance(argument, exp.Placeholder):
            sleeps.append(argument.name)
        else:
            raise unsupported("qg_sleep of anything but a number or a bind")
        call.replace(argument.copy())
    return tuple(sleeps)
