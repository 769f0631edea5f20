"""What `make dev` shows when everything runs."""

from collections.abc import Sequence

from qg_devstack.demo_endpoints import API_KEY, BASIC, BEARER, PUBLIC, DemoEndpoint
from qg_devstack.record import Place, StackRecord

_HEADINGS = {
    API_KEY: "with an API key",
    BEARER: "with a bearer token",
    BASIC: "with user and password",
    PUBLIC: "without signing in (this endpoint says allow_unauthenticated)",
}


def announcement(record: StackRecord, curl_lines: Sequence[tuple[DemoEndpoint, str]], place: Place) -> str:
    """Addresses, the admin's password and the `curl` lines, one paragraph per kind of auth."""
    lines = ["", "QueryGateway runs:", ""]
    lines += [f"  {what:<16}{where}" for what, where in _addresses(record)]
    lines += ["", f"  admin           {record.admin_username} / {record.admin_password}"]
    lines += [f"  all of it       {place.root}/stack.json", f"  logs            {place.logs}/"]
    for access, heading in _HEADINGS.items():
        lines += ["", f"Call it {heading}:", ""]
        lines += [line for endpoint, line in curl_lines if endpoint.access == access and endpoint.schedule is None]
    lines += ["", "Call it for the newest snapshot, which workers make on schedule:", ""]
    lines += [line for endpoint, line in curl_lines if endpoint.schedule is not None]
    lines += ["", "Ctrl-C stops everything; so does `make dev-down` in another terminal."]
    return "\n".join(lines)


def _addresses(record: StackRecord) -> list[tuple[str, str]]:
    found = [("control plane", f"{record.control_plane_url}/api/v1/   ops {record.control_plane_ops_url}/-/ready")]
    urls = zip(record.data_plane_urls, record.data_plane_ops_urls, strict=True)
    for number, (url, ops_url) in enumerate(urls, start=1):
        found.append((f"data plane {number}", f"{url}/api/v1/data/   ops {ops_url}/-/ready"))
    for number, ops_url in enumerate(record.worker_ops_urls, start=1):
        found.append((f"worker {number}", f"ops {ops_url}/-/ready"))
    oracle = record.oracle
    found.append(("Oracle", f"{oracle.host}:{oracle.port}/{oracle.service_name}, user {oracle.user}"))
    return found
