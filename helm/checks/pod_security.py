"""The Pod Security Standard "restricted" (version 1.34), and what this chart promises beyond it, held against pods.

Source of the standard: Kubernetes documentation, "Pod Security Standards", baseline and restricted. A finding names the
pod, the field and what is wrong with it.
"""

from collections.abc import Iterator
from typing import Any

from helm.checks.manifests import Manifest, containers, pod_specs

Spec = dict[str, Any]

VOLUMES_ALLOWED = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
SYSCTLS_ALLOWED = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}
SELINUX_TYPES_ALLOWED = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
SECCOMP_ALLOWED = {"RuntimeDefault", "Localhost"}


def findings(manifests: list[Manifest]) -> list[str]:
    """Everything that would keep a pod out of a restricted namespace, or breaks a promise of the chart."""
    found = []
    for name, spec in pod_specs(manifests):
        found += [f"{name}: {problem}" for problem in (*_restricted(spec), *_promised(spec))]
    return found


def _restricted(spec: Spec) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"{field} is set"
    if (spec.get("os") or {}).get("name") == "windows":
        yield "os is windows, for which other rules hold"
    for volume in spec.get("volumes") or []:
        kinds = set(volume) - {"name"}
        if not kinds or kinds - VOLUMES_ALLOWED:
            yield f"volume {volume.get('name')} is of the kind {', '.join(sorted(kinds)) or 'none'}"
    pod = spec.get("securityContext") or {}
    for sysctl in pod.get("sysctls") or []:
        if sysctl["name"] not in SYSCTLS_ALLOWED:
            yield f"sysctl {sysctl['name']} is set"
    yield from _same_for_both("the pod", pod)
    for container in containers(spec):
        own = container.get("securityContext") or {}
        who = f"container {container['name']}"
        yield from _same_for_both(who, own)
        yield from _of_container(who, container, own, pod)


def _same_for_both(who: str, context: Spec) -> Iterator[str]:
    """What may stand at the pod and at a container."""
    if context.get("runAsUser") == 0:
        yield f"{who} runs as user 0"
    options = context.get("seLinuxOptions") or {}
    if options.get("type", "") not in SELINUX_TYPES_ALLOWED or options.get("user") or options.get("role"):
        yield f"{who} sets seLinuxOptions"
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield f"{who} is a host process"
    profile = context.get("seccompProfile") or {}
    if profile and profile.get("type") not in SECCOMP_ALLOWED:
        yield f"{who} has the seccomp profile {profile.get('type')}"
    armor = context.get("appArmorProfile") or {}
    if armor and armor.get("type") not in {"RuntimeDefault", "Localhost"}:
        yield f"{who} has the AppArmor profile {armor.get('type')}"


def _of_container(who: str, container: Spec, own: Spec, pod: Spec) -> Iterator[str]:
    if own.get("privileged"):
        yield f"{who} is privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield f"{who} may escalate privileges"
    if own.get("procMount", "Default") != "Default":
        yield f"{who} sets procMount"
    capabilities = own.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or []):
        yield f"{who} does not drop all capabilities"
    if set(capabilities.get("add") or []) - {"NET_BIND_SERVICE"}:
        yield f"{who} adds capabilities"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield f"{who} may run as root"
    if not (own.get("seccompProfile") or pod.get("seccompProfile")):
        yield f"{who} has no seccomp profile"
    for port in container.get("ports") or []:
        if port.get("hostPort"):
            yield f"{who} takes the host's port {port['hostPort']}"
    for handler in _handlers(container):
        if handler.get("host"):
            yield f"{who} has a probe or hook that names a host"


def _handlers(container: Spec) -> Iterator[Spec]:
    """Probes and hooks that go over the network; naming a host there is refused since 1.34."""
    sources = [container.get(name) or {} for name in ("livenessProbe", "readinessProbe", "startupProbe")]
    lifecycle = container.get("lifecycle") or {}
    sources += [lifecycle.get(name) or {} for name in ("preStop", "postStart")]
    for source in sources:
        for kind in ("httpGet", "tcpSocket"):
            yield source.get(kind) or {}


def _promised(spec: Spec) -> Iterator[str]:
    """Beyond the standard: no token, no writable root, bounded memory, secrets never in an environment."""
    if spec.get("automountServiceAccountToken") is not False:
        yield "a token of the service account is mounted"
    for volume in spec.get("volumes") or []:
        if any("serviceAccountToken" in source for source in (volume.get("projected") or {}).get("sources") or []):
            yield f"volume {volume['name']} holds a token of the service account"
    if spec.get("enableServiceLinks") is not False:
        yield "Services are put into the environment"
    if spec.get("serviceAccountName", "default") == "default":
        yield "runs as the namespace's default service account"
    for container in containers(spec):
        who = f"container {container['name']}"
        if (container.get("securityContext") or {}).get("readOnlyRootFilesystem") is not True:
            yield f"{who} may write to its root file system"
        resources = container.get("resources") or {}
        if "memory" not in (resources.get("limits") or {}) or not {"cpu", "memory"} <= set(
            resources.get("requests") or {}
        ):
            yield f"{who} lacks requests, or a limit on memory"
        for variable in container.get("env") or []:
            if "secretKeyRef" in (variable.get("valueFrom") or {}):
                yield f"{who} has a secret in its environment: {variable['name']}"
        if any("secretRef" in source for source in container.get("envFrom") or []):
            yield f"{who} has a whole Secret in its environment"
