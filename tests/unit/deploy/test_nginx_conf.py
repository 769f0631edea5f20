"""What deploy/nginx/nginx.conf promises, as far as it can be read from it; tests/images asks nginx itself."""

import re

import pytest

from data_plane.requests.request import TARGET_BYTES_MAX
from data_plane.settings import VARIABLES
from qg_serving import ListenLimits
from tests.unit.deploy.compose_file import DEPLOY, read

_CONF = "\n".join(line.split("#")[0].rstrip() for line in (DEPLOY / "nginx" / "nginx.conf").read_text().splitlines())


def _values(directive: str) -> list[str]:
    return [" ".join(value.split()) for value in re.findall(rf"^\s*{directive}\s+([^;]+);", _CONF, re.MULTILINE)]


def _seconds(directive: str) -> set[int]:
    return {int(value.removesuffix("s")) for value in _values(directive)}


def test_tls_is_1_2_or_newer_and_without_old_ciphers() -> None:
    assert _values("ssl_protocols") == ["TLSv1.2 TLSv1.3"]
    ciphers = _values("ssl_ciphers")[0].split(":")
    assert all(re.fullmatch(r"ECDHE-(ECDSA|RSA)-(AES\d+-GCM-SHA\d+|CHACHA20-POLY1305)", cipher) for cipher in ciphers)
    assert _values("ssl_session_tickets") == ["off"]
    assert all("ssl" in value or value.startswith("127.0.0.1:") for value in _values("listen"))


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-Forwarded-For", "$remote_addr"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", '""'),
        ("X-Real-IP", '""'),
        ("traceparent", '""'),
    ],
)
def test_what_a_client_says_of_itself_is_overwritten(header: str, value: str) -> None:
    assert f"{header} {value}" in _values("proxy_set_header")
    # One place for all: a location with headers of its own would lose these.
    assert _CONF.count(f"proxy_set_header {header} ") == 1
    servers = _CONF[_CONF.index("upstream data_planes") :]
    assert "proxy_set_header" not in servers


def test_hsts_and_the_other_security_headers_are_the_gateways() -> None:
    assert not re.search("Strict-Transport-Security|X-Frame-Options|Content-Security-Policy", _CONF)


def test_the_path_goes_on_as_it_came() -> None:
    assert _values("merge_slashes") == ["off"]
    assert _values("proxy_pass") == ["http://data_planes", "http://control_plane"]
    assert "rewrite" not in _CONF


def test_the_coarse_limits_are_no_closer_than_the_gateways_exact_ones() -> None:
    number, size = _values("large_client_header_buffers")[0].removesuffix("k").split()
    assert int(size) * 1024 > TARGET_BYTES_MAX
    assert int(number) * int(size) * 1024 <= ListenLimits().head_bytes_max
    assert _values("client_max_body_size") == ["1", "1m"]


def test_the_gateway_gives_up_before_nginx_and_nginx_lets_go_of_idle_connections_first() -> None:
    longest_ms = next(int(v.default or 0) for v in VARIABLES if v.name == "QUERY_TIMEOUT_MAX_MS")
    assert all(longest_ms < 1000 * seconds <= longest_ms + 30_000 for seconds in _seconds("proxy_read_timeout"))
    assert all(1000 * seconds < ListenLimits().idle_timeout_ms for seconds in _seconds("keepalive_timeout"))


def test_only_what_is_idempotent_is_tried_again_and_once() -> None:
    assert _values("proxy_next_upstream") == ["error timeout http_502", "off"]
    assert _values("proxy_next_upstream_tries") == ["2"]
    assert all(seconds <= 5 for seconds in _seconds("proxy_next_upstream_timeout"))
    assert "non_idempotent" not in _CONF


def test_on_any_machine_it_starts_fewer_processes_than_its_container_may_have() -> None:
    (workers,) = _values("worker_processes")
    # Beside them: the first process, and what asks whether it is healthy.
    assert int(workers) + 4 <= read("compose.yaml")["services"]["nginx"]["pids_limit"]


def test_answers_are_never_spooled_to_disk() -> None:
    assert _values("proxy_max_temp_file_size") == ["0"]


def test_nothing_a_caller_sends_in_a_query_or_header_is_logged() -> None:
    assert not re.search(r"\$request\b|\$request_uri|\$args|\$query_string|\$http_|\$uri", _CONF)
    # Its own lines quote the request: those of single requests are less severe than this.
    assert _values("error_log") == ["/dev/stderr crit"]
