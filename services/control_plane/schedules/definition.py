"""A schedule's definition: the values of a save merged with what is stored, what is wrong with them, and its timing."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import UNSET, Struct, structs

from control_plane.input.kinds import uuid_or_none
from control_plane.schedules.views import ScheduleCreate, ScheduleType, ScheduleUpdate
from qg_core.errors import FieldProblem
from qg_core.parameters import Parameter
from qg_core.producers import snapshot_problems
from qg_core.schedule_times import CronTiming, IntervalTiming, Timing, check_cron, check_zone
from qg_store.models import Schedule


class Definition(Struct, frozen=True, kw_only=True):
    """Everything an admin decides about one schedule."""

    endpoint_id: str
    schedule_type: ScheduleType
    cron_expression: str | None
    interval_seconds: int | None
    timezone: str
    is_active: bool


_FIELDS = Definition.__struct_fields__
_TIMING_FIELDS = ("schedule_type", "cron_expression", "interval_seconds", "timezone")


def definition_of(row: Schedule) -> Definition:
    """What is stored."""
    values = {name: getattr(row, name) for name in _FIELDS}
    return Definition(**{**values, "schedule_type": ScheduleType(row.schedule_type)})


def merged(wanted: ScheduleCreate | ScheduleUpdate, stored: Definition | None) -> Definition:
    """The definition after the save. A change of type drops what belonged to the other one, unless it was given."""
    given = {name: getattr(wanted, name) for name in _FIELDS}
    given = {name: value for name, value in given.items() if value is not UNSET}
    values = given
    if stored is not None:
        kept = structs.asdict(stored)
        if given.get("schedule_type", stored.schedule_type) is not stored.schedule_type:
            kept |= {"cron_expression": None, "interval_seconds": None}
        values = {**kept, **given}
    if values["cron_expression"] is not None:
        values["cron_expression"] = " ".join(values["cron_expression"].split())
    values["endpoint_id"] = uuid_or_none(values["endpoint_id"]) or values["endpoint_id"]
    return Definition(**values)


def write(row: Schedule, definition: Definition) -> None:
    """Put a definition into a row."""
    for name in _FIELDS:
        setattr(row, name, getattr(definition, name))
    row.schedule_type = definition.schedule_type.value


def timing_differs(before: Definition, after: Definition) -> bool:
    """Whether it comes at other times, so that intervals begin anew."""
    return any(getattr(before, name) != getattr(after, name) for name in _TIMING_FIELDS)


def timing_of(definition: Definition, anchor: datetime) -> Timing:
    """The timing of a definition without problems."""
    if definition.schedule_type is ScheduleType.CRON:
        return CronTiming(definition.cron_expression or "", definition.timezone)
    return IntervalTiming(definition.interval_seconds or 0, anchor)


def timing_problems(definition: Definition) -> list[FieldProblem]:
    """What is wrong with when it comes. May take some 50 ms the first time and for the rarest expressions."""
    problems: list[FieldProblem] = []
    zone_wrong = check_zone(definition.timezone)
    if zone_wrong is not None:
        problems.append(FieldProblem("timezone", zone_wrong))
    needed, other = ("cron_expression", "interval_seconds")
    if definition.schedule_type is ScheduleType.INTERVAL:
        needed, other = other, needed
    if getattr(definition, needed) is None:
        problems.append(FieldProblem(needed, f"is needed for the type {definition.schedule_type.value}"))
    if getattr(definition, other) is not None:
        problems.append(FieldProblem(other, f"does not apply to the type {definition.schedule_type.value}"))
    if definition.cron_expression is not None:
        # An unknown zone is said already; the expression is looked at all the same.
        cron_wrong = check_cron(definition.cron_expression, "UTC" if zone_wrong else definition.timezone)
        if cron_wrong is not None:
            problems.append(FieldProblem("cron_expression", cron_wrong))
    return problems


def endpoint_problems(param_schema: Mapping[str, Parameter]) -> list[FieldProblem]:
    """Why an endpoint can't have a schedule."""
    return [
        FieldProblem("endpoint_id", f"the endpoint's param_schema.{problem.field}: {problem.message}")
        for problem in snapshot_problems(param_schema)
    ]
