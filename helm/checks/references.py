"""Whether the objects of a release fit each other: names, selectors, ports, accounts, hooks, and time to stop."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from helm.checks.manifests import Manifest, component, containers, of_kind, pod_specs, title

NAME_LENGTH_MAX = 63
HOOK = "helm.sh/hook"
WEIGHT = "helm.sh/hook-weight"
MARGIN_SECONDS = 5
GRACE_SECONDS = 30
"""What services take where SHUTDOWN_GRACE_SECONDS is not set."""


def findings(manifests: list[Manifest]) -> list[str]:
    """Everything that does not fit."""
    return [
        *_names(manifests),
        *_selectors(manifests),
        *_accounts(manifests),
        *_ports(manifests),
        *_targets(manifests),
        *_stopping(manifests),
        *_migration(manifests),
    ]


def _names(manifests: list[Manifest]) -> Iterator[str]:
    for name, count in Counter(title(manifest) for manifest in manifests).items():
        if count > 1:
            yield f"{name}: {count} objects of this name"
        if len(name.partition("/")[2]) > NAME_LENGTH_MAX:
            yield f"{name}: the name is longer than {NAME_LENGTH_MAX} characters"


def _pod_labels(manifests: list[Manifest]) -> list[dict[str, str]]:
    workloads = [item for kind in ("Deployment", "StatefulSet", "Job") for item in of_kind(manifests, kind)]
    return [item["spec"]["template"]["metadata"]["labels"] for item in workloads]


def _selectors(manifests: list[Manifest]) -> Iterator[str]:
    labels = _pod_labels(manifests)
    services = of_kind(manifests, "Service")
    selectors = [(item, item["spec"]["selector"]) for item in services]
    selectors += [(item, item["spec"]["selector"]["matchLabels"]) for item in of_kind(manifests, "PodDisruptionBudget")]
    for kind in ("Deployment", "StatefulSet"):
        selectors += [(item, item["spec"]["selector"]["matchLabels"]) for item in of_kind(manifests, kind)]
    for manifest, selector in selectors:
        chosen = [pod for pod in labels if selector.items() <= pod.items()]
        if len(chosen) != 1 or chosen[0]["app.kubernetes.io/component"] != component(manifest):
            yield f"{title(manifest)}: selects {len(chosen)} kinds of pods, or others than its own"
    for monitor in of_kind(manifests, "ServiceMonitor"):
        selector = monitor["spec"]["selector"]["matchLabels"]
        chosen = [item for item in services if selector.items() <= item["metadata"]["labels"].items()]
        if len(chosen) != 1:
            yield f"{title(monitor)}: selects {len(chosen)} Services"
            continue
        for endpoint in monitor["spec"]["endpoints"]:
            if endpoint["port"] not in _ports_of(chosen[0]):
                yield f"{title(monitor)}: scrapes the port {endpoint['port']}, which {title(chosen[0])} does not have"


def _accounts(manifests: list[Manifest]) -> Iterator[str]:
    accounts = {item["metadata"]["name"] for item in of_kind(manifests, "ServiceAccount")}
    used: list[str] = []
    for name, spec in pod_specs(manifests):
        used.append(spec.get("serviceAccountName", ""))
        if spec.get("serviceAccountName") not in accounts:
            yield f"{name}: there is no service account {spec.get('serviceAccountName')}"
    for account, count in Counter(used).items():
        if count > 1:
            yield f"ServiceAccount/{account}: shared by {count} workloads"
    maps = {item["metadata"]["name"] for item in of_kind(manifests, "ConfigMap")}
    for name, spec in pod_specs(manifests):
        for container in containers(spec):
            for source in container.get("envFrom") or []:
                if source["configMapRef"]["name"] not in maps:
                    yield f"{name}: there is no ConfigMap {source['configMapRef']['name']}"
            mounted = {mount["name"] for mount in container.get("volumeMounts") or []}
            declared = {volume["name"] for volume in spec.get("volumes") or []} | {"state"}
            if mounted - declared:
                yield f"{name}: mounts {sorted(mounted - declared)}, which no volume is"


def _ports(manifests: list[Manifest]) -> Iterator[str]:
    pods = dict(pod_specs(manifests))
    for name, spec in pods.items():
        for container in containers(spec):
            ports = {port["name"] for port in container.get("ports") or []}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                asked = ((container.get(probe) or {}).get("httpGet") or {}).get("port")
                if asked is not None and asked not in ports:
                    yield f"{name}: {probe} asks the port {asked}, which the container does not have"
    templates = [item["spec"]["template"] for item in manifests if "template" in item.get("spec", {})]
    for service in of_kind(manifests, "Service"):
        selector = service["spec"]["selector"].items()
        behind = {
            port["name"]
            for template in templates
            if selector <= template["metadata"]["labels"].items()
            for container in containers(template["spec"])
            for port in container.get("ports") or []
        }
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in behind:
                yield f"{title(service)}: leads to the port {port['targetPort']}, which its pods do not have"


def _ports_of(service: Manifest) -> set[object]:
    """Names and numbers by which a Service's ports can be asked for."""
    return {port[key] for port in service["spec"]["ports"] for key in ("name", "port")}


def _targets(manifests: list[Manifest]) -> Iterator[str]:
    there = {(item["kind"], item["metadata"]["name"]): item for item in manifests}
    for kind in ("HorizontalPodAutoscaler", "ScaledObject"):
        for scaler in of_kind(manifests, kind):
            target = scaler["spec"]["scaleTargetRef"]
            workload = there.get((target["kind"], target["name"]))
            if workload is None:
                yield f"{title(scaler)}: there is no {target['kind']} {target['name']}"
            elif "replicas" in workload["spec"]:
                yield f"{title(scaler)}: its target also has a fixed number of replicas"
    for manifest, name, port in _backends(manifests):
        service = there.get(("Service", name))
        if service is None:
            yield f"{title(manifest)}: there is no Service {name}"
        elif port not in _ports_of(service):
            yield f"{title(manifest)}: asks for the port {port}, which {title(service)} does not have"


def _backends(manifests: list[Manifest]) -> Iterator[tuple[Manifest, str, object]]:
    """Every way in: the route, the Service that it leads to, and the name or number of its port."""
    for route in of_kind(manifests, "HTTPRoute"):
        for rule in route["spec"]["rules"]:
            for backend in rule["backendRefs"]:
                yield route, backend["name"], backend["port"]
    for ingress in of_kind(manifests, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                yield ingress, service["name"], service["port"].get("name") or service["port"].get("number")


def _stopping(manifests: list[Manifest]) -> Iterator[str]:
    """The kubelet must not kill what is still draining, or finishing within its grace."""
    graces = {
        item["metadata"]["name"]: int(item["data"].get("SHUTDOWN_GRACE_SECONDS", GRACE_SECONDS))
        for item in of_kind(manifests, "ConfigMap")
        if component(item) in {"control-plane", "data-plane", "worker"} and "OPS_PORT" in item["data"]
    }
    for kind in ("Deployment", "StatefulSet"):
        for item in of_kind(manifests, kind):
            spec: dict[str, Any] = item["spec"]["template"]["spec"]
            command = spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command")
            if component(item) == "worker":
                drain = 0
            elif not command or command[:3] != ["querygateway", "drain", "--seconds"]:
                yield f"{title(item)}: does not drain before it is stopped"
                continue
            else:
                drain = int(command[3])
            needed = drain + graces.get(item["metadata"]["name"], GRACE_SECONDS) + MARGIN_SECONDS
            if spec["terminationGracePeriodSeconds"] < needed:
                yield f"{title(item)}: is killed after {spec['terminationGracePeriodSeconds']} s, needs {needed} s"


def _migration(manifests: list[Manifest]) -> Iterator[str]:
    """All of it is a hook, what the Job needs comes before it, and only the Job sees the owner's credentials."""
    own = [item for item in manifests if component(item) == "migration"]
    jobs = of_kind(own, "Job")
    for item in own:
        notes = item["metadata"].get("annotations", {})
        if notes.get(HOOK) != "pre-install,pre-upgrade":
            yield f"{title(item)}: is no hook, so it is not there when the migration runs"
        elif "hook-succeeded" not in notes["helm.sh/hook-delete-policy"]:
            yield f"{title(item)}: stays after the migration"
        elif item["kind"] != "Job" and any(
            int(notes[WEIGHT]) >= int(job["metadata"]["annotations"][WEIGHT]) for job in jobs
        ):
            yield f"{title(item)}: does not come before the Job"
    for name, spec in pod_specs(manifests):
        if "MIGRATION_DATABASE_URL" in str(spec) and not name.startswith("Job/"):
            yield f"{name}: sees the credentials of the database's owner"
