"""Snapshots over HTTP from a data-plane process: encodings, versions, HEAD, and what a slow client costs."""

import asyncio
import json
import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from qg_core.specs import MethodType, SpecKind
from qg_devstack.hand_published import HandPublished
from qg_devstack.servers import RedisServer
from tests.integration.data_plane.node_process import NodeProcess, free_ports
from tests.integration.snapshots.rig import Gateway, decoded
from tests.support import loopback
from tests.support.waiting import wait_until

RANDOM = random.Random(5)
ROWS = b",".join(b'{"ORDER_ID":%d,"STATUS":"open"}' % number for number in range(60_000))
NOISE = b'{"TEXT":"%b"}' % RANDOM.randbytes(6_000_000).hex().encode()
ENCODINGS = ("identity", "gzip", "zstd")


class Site(msgspec.Struct, frozen=True):
    """A node that serves one small, one large and one very large snapshot, and one that needs a key."""

    node: NodeProcess
    key: str
    created_at: float


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A node on a Redis of its own."""
    redis = RedisServer(tmp_path_factory.mktemp("redis"))
    redis.start()
    try:
        published = HandPublished(redis.address.url())
        key = asyncio.run(_publish(published))
        directory = tmp_path_factory.mktemp("node")
        port, ops_port = free_ports(2)
        environ = {
            **published.environ(str(directory / "state"), port, ops_port),
            "CORS_ORIGINS": "https://app.example.com",
            "SNAPSHOT_CACHE_BYTES": "8000000",
        }
        node = NodeProcess(environ, port, ops_port, directory / "log")
        try:
            node.wait_until_ready()
            yield Site(node, key, 1_763_000_000.5)
        finally:
            node.stop()
    finally:
        redis.stop()


async def _publish(published: HandPublished) -> str:
    gateway = Gateway(published)
    keys = published.method(MethodType.API_KEY)
    large, noise, protected = (gateway.endpoint(name) for name in ("large", "noise", "protected"))
    published.change(SpecKind.ENDPOINT, protected, auth_method_id=keys, allow_unauthenticated=False)
    key = published.api_key(keys, "acme")
    hasty = gateway.endpoint("hasty")
    published.change(SpecKind.ENDPOINT, hasty, timeout_ms=500)
    await published.publish()
    await gateway.put(hasty, 5, NOISE)
    await gateway.put(gateway.first, 1, created_at=1_763_000_000.5)
    await gateway.put(protected, 2)
    await gateway.put(large, 3, ROWS, row_count=60_000)
    await gateway.put(noise, 4, NOISE)
    await gateway.close()
    return key


def test_a_small_one(site: Site) -> None:
    """The node was ready only when it had them."""
    before = int(time.time() - site.created_at)
    response = site.node.get("first", Accept_Encoding="identity")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "private, no-cache"
    assert response.headers["vary"] == "Authorization, X-Api-Key, Accept-Encoding, Origin"
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-qg-revision"] == "1"
    assert "content-encoding" not in response.headers
    assert int(response.headers["content-length"]) == len(response.content)
    answer = response.json()
    assert answer["data"] == [{"NUMBER": 1}]
    age_s = answer["meta"].pop("snapshot_age_seconds")
    assert before <= age_s <= before + 5
    assert answer["meta"] == {
        "row_count": 1,
        "snapshot_created_at": "2025-11-13T02:13:20.500Z",
        "endpoint": "first",
        "version": "v1",
        "data_strategy": "snapshot",
        "truncated": False,
    }


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("path", ["first", "large", "noise"])
def test_every_encoding_ends_with_its_tail(site: Site, path: str, encoding: str) -> None:
    with site.node.client.stream("GET", path, headers={"accept-encoding": encoding}) as response:
        body = b"".join(response.iter_raw())
    assert response.headers.get("content-encoding", "identity") == encoding
    assert int(response.headers["content-length"]) == len(body)
    assert "transfer-encoding" not in response.headers
    answer = json.loads(decoded(encoding, body))
    assert answer["meta"]["endpoint"] == path
    assert len(answer["data"]) == answer["meta"]["row_count"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl program")
@pytest.mark.parametrize("path", ["first", "large", "noise"])
def test_curl_decodes_it(site: Site, path: str, tmp_path: Path) -> None:
    """Also the second Zstandard frame, where this curl knows Zstandard."""
    url = f"http://127.0.0.1:{site.node.port}/api/v1/data/{path}"
    command = ["curl", "-sSf", "--compressed", "-D", str(tmp_path / "headers"), "-o", str(tmp_path / "body"), url]
    subprocess.run(command, check=True, timeout=30)
    knows = subprocess.run(["curl", "--version"], check=True, capture_output=True).stdout
    encoding = "zstd" if b"zstd" in knows else "gzip"
    assert f"content-encoding: {encoding}" in (tmp_path / "headers").read_text().lower()
    answer = json.loads((tmp_path / "body").read_bytes())
    assert len(answer["data"]) == answer["meta"]["row_count"]


def test_httpx_decodes_it(site: Site) -> None:
    answer = site.node.get("large", Accept_Encoding="gzip").json()
    assert answer["data"][-1] == {"ORDER_ID": 59_999, "STATUS": "open"}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("path", ["first", "large"])
def test_head_says_the_same_without_a_body(site: Site, path: str, encoding: str) -> None:
    headers = {"accept-encoding": encoding}
    get = site.node.client.get(path, headers=headers)
    head = site.node.client.head(path, headers=headers)
    assert head.status_code == 200
    assert head.content == b""
    for name in ("etag", "content-type", "cache-control"):
        assert head.headers[name] == get.headers[name]
    assert head.headers.get("content-encoding") == get.headers.get("content-encoding")
    # A compressed age may be a byte longer or shorter than that of a second before.
    assert abs(int(head.headers["content-length"]) - int(get.headers["content-length"])) <= 8


def test_a_client_that_has_it_gets_304(site: Site) -> None:
    etag = site.node.get("large").headers["etag"]
    assert etag.startswith('W/"')
    for held in (etag, etag.removeprefix("W/"), f'"x", {etag}', "*"):
        response = site.node.get("large", If_None_Match=held, Accept_Encoding="gzip")
        assert response.status_code == 304
        assert response.content == b""
        assert response.headers["etag"] == etag
        assert response.headers["cache-control"] == "private, no-cache"
        assert "vary" in response.headers
        assert "content-type" not in response.headers
    assert site.node.client.head("large", headers={"if-none-match": etag}).status_code == 304
    assert site.node.get("large", If_None_Match='W/"other"').status_code == 200
    assert site.node.get("first", If_None_Match=etag).status_code == 200


def test_a_page_of_a_listed_origin_sees_the_etag(site: Site) -> None:
    response = site.node.get("first", Origin="https://app.example.com")
    assert response.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "ETag" in response.headers["access-control-expose-headers"]


def test_a_credential_is_needed_before_anything_is_told(site: Site) -> None:
    refused = site.node.get("protected", If_None_Match="*")
    assert refused.status_code == 401
    assert "etag" not in refused.headers
    assert site.node.get("protected", X_Api_Key=site.key).json()["data"] == [{"NUMBER": 2}]


def test_no_snapshot_yet(site: Site) -> None:
    response = site.node.get("second")
    assert (response.status_code, response.json()["code"]) == (503, "snapshot_missing")
    assert response.json()["detail"].startswith("No snapshot available yet.")
    assert int(response.headers["retry-after"]) > 0
    assert response.headers["cache-control"] == "private, no-store"


def test_parameters_are_refused(site: Site) -> None:
    assert site.node.get("first?n=1").status_code == 422


def test_the_request_line_and_the_states(site: Site) -> None:
    site.node.get("large", X_Request_ID="large-one", Accept_Encoding="gzip")
    line = site.node.wait_for_line(event="request_served", request_id="large-one")
    assert (line["row_count"], line["status"], line["aborted"]) == (60_000, 200, False)
    assert site.node.metric("qg_snapshots_served") == 5
    assert site.node.metric("qg_snapshots_refused") == 0
    assert site.node.metric("qg_snapshot_disk_bytes") > len(NOISE)
    assert 0 < site.node.metric("qg_snapshot_memory_bytes") <= 8_000_000


def test_a_client_that_goes_away_is_noticed(site: Site) -> None:
    with site.node.connect("noise", receive_buffer=4_096) as connection:
        assert connection.recv(1_000)
        wait_until(lambda: site.node.metric("qg_requests_running") == 1, "it is being served")
    wait_until(lambda: site.node.metric("qg_requests_running") == 0, "it is over")


def test_a_client_that_does_not_read_is_given_up_at_the_deadline(site: Site) -> None:
    with site.node.connect("hasty", receive_buffer=4_096):
        line = site.node.wait_for_line(event="request_served", path="/api/v1/data/hasty")
    assert (line["aborted"], line["error_code"]) == (True, "query_timeout")
    assert 400 <= float(str(line["duration_ms"])) < 5_000


def test_many_readers_of_a_large_file_cost_little_memory(site: Site) -> None:
    """Twenty slow readers of 12 MB: each holds a piece, not the whole."""
    before = _resident_bytes(site.node.process.pid)
    connections: list[socket.socket] = []
    try:
        for _ in range(20):
            connections.append(site.node.connect("noise", receive_buffer=4_096))
            assert connections[-1].recv(1_000)
        wait_until(lambda: site.node.metric("qg_requests_running") == 20, "all are being served")
        assert _resident_bytes(site.node.process.pid) - before < 60_000_000
        assert loopback.get(f"http://127.0.0.1:{site.node.port}/api/v1/data/first").status_code == 200
    finally:
        for connection in connections:
            connection.close()
    wait_until(lambda: site.node.metric("qg_requests_running") == 0, "they are over")


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
