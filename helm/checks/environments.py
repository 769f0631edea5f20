"""What the pods' environments say to the services: read by the services' own settings code."""

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cli import migration
from cli.secret_files import read_secret_file
from control_plane.settings import settings_from as control_plane_settings
from data_plane.settings import settings_from as data_plane_settings
from helm.checks.chart_values import KEY_OF
from helm.checks.manifests import Manifest, component, containers, of_kind, pod_specs, title
from helm.checks.settings import SERVICES
from qg_core.environment import SettingsInvalid, read_settings
from worker.settings import settings_from as worker_settings

SECRETS_MOUNT = "/etc/querygateway/secrets"


def _migration_settings(environ: Mapping[str, str]) -> object:
    return read_settings(migration.MigrationSettings, migration.VARIABLES, environ, read_secret_file)


READERS: dict[str, Callable[[Mapping[str, str]], object]] = {
    "control-plane": control_plane_settings,
    "data-plane": data_plane_settings,
    "worker": worker_settings,
    "migration": _migration_settings,
}


def encoded(text: str) -> str:
    """A text as it stands in a Secret."""
    return base64.b64encode(text.encode()).decode("ascii")


def environment(manifests: list[Manifest], spec: dict[str, object]) -> dict[str, str]:
    """The environment of a pod's first container, as far as it stands in the manifests."""
    container = next(containers(spec))
    found: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        for item in of_kind(manifests, "ConfigMap"):
            if item["metadata"]["name"] == source["configMapRef"]["name"]:
                found.update(item["data"])
    for variable in container.get("env") or []:
        found[variable["name"]] = variable.get("value", "")
    return found


def files(manifests: list[Manifest], spec: dict[str, object]) -> dict[str, str | None]:
    """The files of a pod's secrets by path; null where the Secret is not the chart's."""
    made = {item["metadata"]["name"]: item["data"] for item in of_kind(manifests, "Secret")}
    found: dict[str, str | None] = {}
    for volume in spec.get("volumes") or []:  # type: ignore[attr-defined]
        for source in (volume.get("projected") or {}).get("sources") or []:
            secret = source["secret"]
            for item in secret["items"]:
                text = made.get(secret["name"], {}).get(item["key"])
                path = f"{SECRETS_MOUNT}/{item['path']}"
                found[path] = None if text is None else base64.b64decode(text).decode()
    return found


def findings(manifests: list[Manifest], *, with_secrets: bool) -> list[str]:
    """What no service reads, and files that are not there; `with_secrets`: also what the service itself objects to."""
    found = []
    pods = {component(item): item for item in manifests if item["kind"] in {"Deployment", "StatefulSet", "Job"}}
    for name in READERS:
        if name not in pods:
            found.append(f"there is no workload {name}")
            continue
        spec = next(spec for who, spec in pod_specs([pods[name]]))
        environ, secret_files = environment(manifests, spec), files(manifests, spec)
        problems = [*_known(name, environ, secret_files), *_listening(environ, next(containers(spec)))]
        found += [f"{title(pods[name])}: {problem}" for problem in problems]
        if with_secrets:
            found += [f"{title(pods[name])}: {problem}" for problem in _refused(name, environ, secret_files)]
    return found


def _known(name: str, environ: dict[str, str], secret_files: dict[str, str | None]) -> Iterator[str]:
    table = migration.VARIABLES if name == "migration" else SERVICES[KEY_OF[name]]
    plain = {variable.name for variable in table if not variable.secret}
    secret = {variable.name for variable in table if variable.secret}
    for variable, text in environ.items():
        if variable in secret:
            yield f"the secret {variable} is in the environment"
        elif variable.removesuffix("_FILE") in secret and text not in secret_files:
            yield f"{variable} names {text}, which is not mounted"
        elif variable.isupper() and variable.removesuffix("_FILE") not in plain | secret | {
            "PGSSLROOTCERT",
            "TZ",
            "POD_IP",
        }:
            yield f"{variable} is read by nobody"
    missing = {variable.name for variable in table if variable.default is None} - set(environ)
    missing = {variable for variable in missing if f"{variable}_FILE" not in environ}
    if missing:
        yield f"{sorted(missing)} is required and not set"


def _listening(environ: dict[str, str], container: dict[str, Any]) -> Iterator[str]:
    """Where the process listens must be where probes, Services and scrapes look for it."""
    ports = {port["name"]: str(port["containerPort"]) for port in container.get("ports") or []}
    for address, number, name in (("HOST", "PORT", "http"), ("OPS_HOST", "OPS_PORT", "ops")):
        if (number in environ) != (name in ports) or environ.get(number) != ports.get(name):
            yield f"{number} is {environ.get(number)}, the container's port {name} {ports.get(name)}"
        if number in environ and environ.get(address) not in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
            yield f"{address} is {environ.get(address)}, so nobody outside the pod reaches it"


def _refused(name: str, environ: dict[str, str], secret_files: dict[str, str | None]) -> Iterator[str]:
    given = {}
    for variable, text in environ.items():
        content = secret_files.get(text)
        given[variable.removesuffix("_FILE") if content is not None else variable] = content or text
    try:
        READERS[name](given)
    except SettingsInvalid as error:
        yield from error.problems
