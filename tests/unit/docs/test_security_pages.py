"""What SECURITY.md, SECURITY_AI.md and repository governance say of figures, names and paths is so."""

import re
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from control_plane.settings import VARIABLES as CONTROL_PLANE
from data_plane.settings import VARIABLES as DATA_PLANE
from qg_core import errors
from qg_core.specs import CredentialSpec, EndpointSpec
from qg_security.passwords import BCRYPT_COST
from qg_telemetry.events import every_event
from supply_chain.osv import DAYS_MAX
from supply_chain.workflows import events
from worker.settings import VARIABLES as WORKER

ROOT = Path(__file__).resolve().parents[3]
SECURITY, AI, GOVERNANCE = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("SECURITY.md", "SECURITY_AI.md", "docs/repository_governance.md")
)
DEFAULTS = {variable.name: variable.default for variable in (*CONTROL_PLANE, *DATA_PLANE, *WORKER)}


def part(page: str, heading: str) -> str:
    """The text below a heading, up to the next one of the same level or above."""
    level = heading.split(" ", 1)[0]
    return re.split(rf"^#{{2,{len(level)}}} ", page.split(f"\n{heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def test_the_newest_minor_version_is_supported() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    supported = re.findall(r"^\| ([0-9.]+)\.x \| yes \|$", SECURITY, re.MULTILINE)
    assert supported == [".".join(version.split(".")[:2])]


def test_reports_are_acknowledged_within_72_hours_and_nobody_is_told_an_address_that_is_not_there() -> None:
    assert "within 72 hours" in part(SECURITY, "## Reporting a vulnerability")
    assert not re.search(r"[\w.]+@[\w-]+\.\w+", SECURITY + AI + GOVERNANCE)


def test_deadlines_of_vulnerabilities_are_those_of_the_check() -> None:
    critical, high, medium, other = [days for _, days in DAYS_MAX]
    assert critical == 0
    assert f"a high one after {high} days, a medium one after {medium}," in SECURITY
    assert f"any other after {other}." in SECURITY


def test_the_cooldown_is_the_one_that_updates_wait() -> None:
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text(encoding="utf-8"))["updates"]
    (python,) = [update["cooldown"] for update in updates if update["package-ecosystem"] == "pip"]
    said = (
        f"no release younger than {python['default-days']} days ({python['semver-major-days']} for a new major version)"
    )
    assert said in SECURITY


def test_figures_of_the_model_are_those_of_the_code() -> None:
    assert DEFAULTS["ADMIN_TOKEN_EXPIRES_S"] == str(8 * 3600)
    assert "JWTs of 8 hours (`ADMIN_TOKEN_EXPIRES_S`)" in SECURITY
    assert DEFAULTS["STALENESS_MAX_S"] == str(86_400)
    assert "`STALENESS_MAX_S` (a day by default)" in SECURITY.replace("\n  ", " ")
    assert f"bcrypt hashes (cost {BCRYPT_COST})" in SECURITY


@pytest.mark.parametrize("page", ["SECURITY.md", "SECURITY_AI.md"])
def test_variables_and_words_that_a_page_names_exist(page: str) -> None:
    spans = set(re.findall(r"`([^`\n]+)`", (ROOT / page).read_text(encoding="utf-8")))
    assert {span for span in spans if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", span)} <= {*DEFAULTS, "X_FILE"}
    codes = {error.code for error in vars(errors).values() if isinstance(error, type) and hasattr(error, "code")}
    known = codes | {event.event for event in every_event()}
    known |= {*EndpointSpec.__struct_fields__, *CredentialSpec.__struct_fields__}
    # Fields of the admin API, of parameters and of answers.
    known |= {"param_schema", "expire_minutes", "max_length", "duration_ms"}
    assert {span for span in spans if re.fullmatch(r"[a-z]+(_[a-z]+)+", span)} <= known


def test_files_and_folders_that_governance_names_exist() -> None:
    outside = re.sub(r"^```.*?^```$", "", GOVERNANCE, flags=re.DOTALL | re.MULTILINE)
    paths = {
        span
        for span in re.findall(r"`([^`\n]+)`", outside)
        if re.fullmatch(r"\.?\w[\w.-]*(/[\w.-]+)+|[A-Z]\w+\.md", span)
    }
    assert len(paths) > 30
    assert [path for path in sorted(paths - {"owner/name"}) if not (ROOT / path).exists()] == []


def checks() -> set[str]:
    """The names under which the jobs of workflows that look at pull requests report."""
    found: set[str] = set()
    for file in sorted((ROOT / ".github/workflows").glob("*.yml")):
        content: dict[Any, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        if "pull_request" in events(content):
            found |= {str(job.get("name", key)) for key, job in content["jobs"].items()}
    return {re.sub(r"\$\{\{.*?\}\}", "*", name) for name in found}


def test_required_checks_are_jobs_that_look_at_pull_requests() -> None:
    named = re.findall(
        r"`([^`]+)`", "".join(re.findall(r"^\| (`[^|]+) \|", part(GOVERNANCE, "## Required checks"), re.MULTILINE))
    )
    patterns = checks()
    assert len(named) >= 10
    assert [name for name in named if not any(fnmatchcase(name, pattern) for pattern in patterns)] == []
