"""How a workflow has to be built: least privilege, restricted network, bounded time, no stranger's words in a script.

zizmor looks for weaknesses; this holds the workflows to the project's own rules, which are stricter.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_HARDEN_RUNNER = "step-security/harden-runner@"
_CHECKOUT = "actions/checkout@"
_DOWNLOAD = "actions/download-artifact@"
# Run with the rights of the base repository on what a stranger proposes.
_REFUSED_EVENTS = frozenset({"pull_request_target", "workflow_run", "issue_comment"})
_EXPRESSION = re.compile(r"\$\{\{(?P<expression>.*?)\}\}", re.DOTALL)
_HOST = re.compile(r"(?:\*\.)?[a-z0-9.-]+:443|\$\{\{ vars\.[A-Z_]+ \}\}")
_TIMEOUT_MINUTES_MAX = 90
# What may be written into a shell script: values that no pull request can choose. Everything else goes through `env`.
_HARMLESS_IN_SCRIPTS = ("matrix.",)


def problems(content: object) -> list[str]:
    """Everything that a workflow, parsed from its YAML, does against the rules."""
    if not isinstance(content, dict):
        return ["is no workflow"]
    if "jobs" not in content:
        return []
    found = [*_workflow_problems(content)]
    for job_name, job in content["jobs"].items():
        found += [f"job {job_name} {problem}" for problem in _job_problems(job)]
    return found


def events(content: Mapping[Any, Any]) -> set[str]:
    """The events that start a workflow. YAML 1.1 reads a bare `on` as true."""
    started_by = content.get("on", content.get(True))
    if isinstance(started_by, str):
        return {started_by}
    return set(started_by or ())


def _workflow_problems(content: Mapping[Any, Any]) -> Iterator[str]:
    if content.get("permissions") != {}:
        yield "must say `permissions: {}` at the top: a job asks for what it needs"
    if "concurrency" not in content:
        yield "has no concurrency group"
    if refused := events(content) & _REFUSED_EVENTS:
        yield f"starts on {', '.join(sorted(refused))}: it would run with rights on what a stranger wrote"


def _job_problems(job: Mapping[str, Any]) -> Iterator[str]:
    permissions = job.get("permissions")
    if not isinstance(permissions, dict):
        yield "must list its permissions (`{}` when it needs none)"
    if job.get("secrets") == "inherit":
        yield "hands all secrets on"
    if "uses" in job:
        return
    minutes = job.get("timeout-minutes")
    if not isinstance(minutes, int) or not 0 < minutes <= _TIMEOUT_MINUTES_MAX:
        yield f"needs timeout-minutes of at most {_TIMEOUT_MINUTES_MAX}"
    if "latest" in str(job.get("runs-on", "")):
        yield "must name the version of its runner"
    steps = job.get("steps") or [{}]
    yield from _egress_problems(steps[0])
    may_write = isinstance(permissions, dict) and "write" in permissions.values()
    if may_write and "PACKAGE_INDEX" in str((steps[0].get("with") or {}).get("allowed-endpoints")):
        yield "may write, so it must install no packages: let another job do that part"
    for step in steps:
        if may_write and str(step.get("uses", "")).startswith(_DOWNLOAD) and "artifact-ids" not in step.get("with", {}):
            yield "may write, so it must take artifacts by id: any job can add another of the same name"
        yield from _step_problems(step)


def _egress_problems(first: Mapping[str, Any]) -> Iterator[str]:
    if not str(first.get("uses", "")).startswith(_HARDEN_RUNNER):
        yield "must begin with harden-runner: what runs before it is not restricted"
        return
    options = first.get("with") or {}
    if options.get("egress-policy") != "block":
        yield "must block outgoing connections (`egress-policy: block`)"
    allowed = str(options.get("allowed-endpoints", "")).replace("\n", " ")
    endpoints = re.findall(r"\$\{\{.*?\}\}|\S+", allowed)
    if not endpoints:
        yield "must list the hosts it may talk to (`allowed-endpoints`)"
    for endpoint in endpoints:
        if not _HOST.fullmatch(endpoint):
            yield f"lists {endpoint!r}, which is no host:443"


def _step_problems(step: Mapping[str, Any]) -> Iterator[str]:
    if (
        str(step.get("uses", "")).startswith(_CHECKOUT)
        and (step.get("with") or {}).get("persist-credentials") is not False
    ):
        yield "checks out with credentials that stay on disk: `persist-credentials: false`"
    for match in _EXPRESSION.finditer(str(step.get("run", ""))):
        expression = match["expression"].strip()
        if not expression.startswith(_HARMLESS_IN_SCRIPTS):
            yield f"writes {expression} into a script: hand it over in `env`"
