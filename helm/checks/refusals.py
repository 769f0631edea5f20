"""Checks of what the chart refuses: values that can't be right, and secrets that nobody gave."""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from helm.checks.bad_values import BadValues
from helm.checks.bad_values import bad_values as all_bad_values
from helm.checks.chart_values import laid_over, read
from helm.checks.places import CHART, value_set
from helm.checks.render import NAMESPACE, RELEASE, Refused, helm
from helm.checks.trial import secret_texts
from helm.checks.value_sets import Outcome

SECRET_LENGTH_MIN = 5
"""Shorter ones may be part of another word of a message."""


def no_default_secret() -> Outcome:
    """The chart alone is refused, and so is a set that lacks the source of any one secret."""
    found, tried = [], 0
    minimal = read(value_set("minimal"))
    for service in ("controlPlane", "dataPlane", "worker", "migration"):
        tried += 1
        bare = laid_over(minimal, {service: {"secrets": {"existingSecret": ""}}})
        found += _must_be_refused(service, bare, "has no source")
    try:
        helm("template", RELEASE, str(CHART))
        found.append("the chart renders without any values")
    except Refused:
        tried += 1
    return f"{tried} sets of values without a source of secrets", found


def bad_values() -> Outcome:
    """Each of bad_values.yaml is refused, in words that say what is wrong, without repeating a secret."""
    found = []
    everything = all_bad_values()
    minimal = read(value_set("minimal"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # Only to have the messages at hand below: nearly all of the time is helm's own.
        list(pool.map(lambda bad: _message(laid_over(minimal, bad.set)), everything))
    for bad in everything:
        values = laid_over(minimal, bad.set)
        found += _must_be_refused(bad.title, values, *_words(bad), by_schema=bad.by_schema)
        for secret in secret_texts(bad.set):
            if len(secret) >= SECRET_LENGTH_MIN and secret in _message(values):
                found.append(f"{bad.title}: the message repeats the secret")
    by_schema = sum(bad.by_schema for bad in everything)
    return f"{by_schema} values refused by the schema, {len(everything) - by_schema} by the templates", found


def _words(bad: BadValues) -> tuple[str, ...]:
    """Any of these helm's message must hold: helm 3.18 writes places with dots, helm 4 as JSON pointers."""
    if bad.at is None:
        return (str(bad.says),)
    pointer = f"/{bad.at.replace('.', '/')}" if bad.at else ""
    if bad.unknown is not None:
        dotted = f"- {bad.at or '(root)'}: Additional property {bad.unknown} is not allowed"
        return dotted, f"- at '{pointer}': additional properties '{bad.unknown}' not allowed"
    return f"- {bad.at}: ", f"- at '{pointer}': "


@cache
def _message_of(text: str) -> str:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "values.yaml"
        file.write_text(text, encoding="utf-8")
        try:
            helm("template", RELEASE, str(CHART), "--namespace", NAMESPACE, "--values", str(file))
        except Refused as error:
            return str(error)
    return ""


def _message(values: dict[str, Any]) -> str:
    return _message_of(yaml.safe_dump(values))


def _must_be_refused(what: str, values: dict[str, Any], *says: str, by_schema: bool = False) -> list[str]:
    message = _message(values)
    if not message:
        return [f"{what}: not refused"]
    if not any(words in message for words in says) or ("specifications of the schema" in message) != by_schema:
        return [f"{what}: refused, but it says: {message}"]
    return []
