"""values.schema.json lets through what is right, refuses what is wrong at the right place, and is strict."""

from typing import Any

import pytest

from helm.checks.bad_values import BadValues, bad_values
from helm.checks.chart_values import complete, laid_over, problems, read, schema
from helm.checks.places import VALUE_SETS, VALUES, value_set

BAD = [bad for bad in bad_values() if bad.by_schema]


@pytest.mark.parametrize("name", VALUE_SETS)
def test_each_value_set_is_let_through(name: str) -> None:
    assert problems(complete(read(value_set(name)))) == []


def test_the_defaults_are_let_through() -> None:
    assert problems(read(VALUES)) == []


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.title)
def test_bad_values_are_refused_at_their_place(bad: BadValues) -> None:
    found = problems(complete(laid_over(read(value_set("minimal")), bad.set)))
    place = f"/{(bad.at or '').replace('.', '/')}: "
    assert any(problem.startswith(place) and (bad.unknown or "") in problem for problem in found), found


def test_a_map_without_known_keys_is_told_so_openly() -> None:
    """Every object in the schema lists its properties and refuses others; the exceptions are labels and raw objects."""
    loose = [place for place, rule in _objects(schema(), "") if rule.get("additionalProperties") is not False]
    assert sorted(loose) == LOOSE


LOOSE = sorted(
    [
        "/definitions/autoscaling/behavior",
        "/definitions/autoscaling/metrics/[]",
        "/definitions/extraEnv/[]/valueFrom",
        "/definitions/extraVolumes/[]/persistentVolumeClaim",
        *(
            f"/definitions/extraVolumes/[]/{kind}"
            for kind in ("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "projected", "secret")
        ),
        "/definitions/texts",
        "/controlPlane/affinity",
        "/dataPlane/affinity",
        "/worker/affinity",
        "/extraObjects/[]",
        "/global",
    ]
)


def _objects(rule: dict[str, Any], place: str) -> list[tuple[str, dict[str, Any]]]:
    found = [(place or "/", rule)] if rule.get("type") == "object" else []
    for name, child in rule.get("properties", {}).items():
        found += _objects(child, f"{place}/{name}")
    for name, child in rule.get("definitions", {}).items():
        found += _objects(child, f"{place}/definitions/{name}")
    if "items" in rule:
        found += _objects(rule["items"], f"{place}/[]")
    return found


def test_every_value_of_the_schema_has_a_default_and_the_other_way_round() -> None:
    """What the schema lets users set directly stands in values.yaml, where its comment says what it is for."""
    known = schema()
    assert _missing(known, read(VALUES), known["definitions"], "") == ["/global", "/enabled"]


def _missing(rule: dict[str, Any], values: dict[str, Any], definitions: dict[str, Any], place: str) -> list[str]:
    found = []
    for name, child in rule.get("properties", {}).items():
        own = definitions[child["$ref"].rsplit("/", 1)[1]] if "$ref" in child else child
        if name not in values:
            found.append(f"{place}/{name}")
        elif isinstance(values[name], dict) and values[name] and name != "resources":
            found += _missing(own, values[name], definitions, f"{place}/{name}")
    return found
