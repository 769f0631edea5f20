"""The access event of a request as a node sends it: complete, cut to size, and without anything secret."""

import re
from typing import cast

import pytest
from redis import Redis

from qg_bundle import keys
from qg_bundle.access.codec import decode_batch
from qg_core.access_events import PATH_LENGTH_MAX, AccessEvent, decode_event
from qg_devstack.hand_published import HandPublished
from qg_security.tags import ACCESS_BATCH_CONTEXT, TagKeys
from tests.integration.data_plane.conftest import Credentials
from tests.integration.data_plane.node_process import NodeProcess
from tests.support.waiting import wait_until


class Stream:
    """The access events that this gateway's nodes have sent."""

    def __init__(self, published: HandPublished) -> None:
        self._redis = Redis.from_url(published.redis_url)
        self._tags = TagKeys([published.environ("", 0, 0)["BUNDLE_SEAL_KEY"]], ACCESS_BATCH_CONTEXT)

    def bodies(self) -> list[bytes]:
        entries = cast(list[tuple[bytes, dict[bytes, bytes]]], self._redis.xrange(keys.ACCESS))
        return [line for _, fields in entries for line in decode_batch(self._tags, fields).lines]

    def event_of(self, request_id: str) -> AccessEvent:
        found: list[AccessEvent] = []

        def arrived() -> bool:
            found[:] = [event for event in map(decode_event, self.bodies()) if event.request_id == request_id]
            return bool(found)

        wait_until(arrived, f"the event of {request_id}")
        assert len(found) == 1
        return found[0]


@pytest.fixture
def stream(published: HandPublished) -> Stream:
    return Stream(published)


def test_a_served_request_is_told_in_full(
    node: NodeProcess, stream: Stream, published: HandPublished, credentials: type[Credentials]
) -> None:
    answer = node.get("with/key?n=7", x_api_key=credentials.key, x_request_id="full-1", x_forwarded_for="192.0.2.77")
    assert answer.status_code == 200
    event = stream.event_of("full-1")
    line = node.wait_for_line(request_id="full-1", event="request_served")
    assert (event.path, event.method, event.status) == ("/api/v1/data/with/key", "GET", 200)
    assert (event.principal, event.remote_ip) == ("api_key:acme", "192.0.2.77")
    assert (event.row_count, event.bytes, event.revision) == (1, len(answer.content), published.revision)
    assert (event.endpoint_id, event.auth_method_id) == (line["endpoint_id"], line["auth_method_id"])
    assert event.duration_ms == line["duration_ms"]
    # The key names its credential; the event does so too, and says nothing of the secret.
    assert event.credential_id is not None
    assert event.credential_id.replace("-", "") in credentials.key
    everything = b"\n".join(stream.bodies())
    assert credentials.key.encode() not in everything
    assert credentials.key.split("_")[2].encode() not in everything
    assert b"n=7" not in everything


def test_refused_requests_are_told_too(node: NodeProcess, stream: Stream, credentials: type[Credentials]) -> None:
    for request_id, path, headers, status in (
        ("refused-404", "no/such", {}, 404),
        ("refused-401", "with/key?n=1", {}, 401),
        ("refused-422", "open?n=x", {}, 422),
        ("refused-503", "unconnected?n=1", {}, 503),
        ("refused-wrong", "with/password?n=1", {"authorization": "Basic YWxpY2U6d3Jvbmc="}, 401),
    ):
        assert node.get(path, x_request_id=request_id, **headers).status_code == status
        event = stream.event_of(request_id)
        assert (event.status, event.row_count) == (status, None)
        assert (event.principal, event.credential_id) == (None, None)
        assert event.bytes > 0
    assert b"YWxpY2U6d3Jvbmc" not in b"\n".join(stream.bodies())


def test_paths_are_cut_and_hold_no_secret(node: NodeProcess, stream: Stream, credentials: type[Credentials]) -> None:
    assert node.get("x" * 3_000, x_request_id="long-1").status_code == 404
    assert len(stream.event_of("long-1").path) <= PATH_LENGTH_MAX
    assert node.get(f"by-mistake/{credentials.key}", x_request_id="secret-1").status_code == 404
    path = stream.event_of("secret-1").path
    assert "[redacted]" in path
    assert credentials.key not in path


def test_a_streamed_answer_is_told_when_it_is_over(node: NodeProcess, stream: Stream) -> None:
    answer = node.get("large", x_request_id="streamed-1")
    event = stream.event_of("streamed-1")
    assert (event.status, event.row_count, event.bytes) == (200, 100_000, len(answer.content))


def test_odd_methods_and_addresses_are_cut(node: NodeProcess, stream: Stream) -> None:
    method = b"M" * 200
    node.raw(method + b" /api/v1/data/open HTTP/1.1\r\nHost: x\r\nX-Request-ID: odd-1\r\nConnection: close\r\n\r\n")
    assert re.fullmatch("M{16}", stream.event_of("odd-1").method)


def test_a_scrape_shows_the_access_log(node: NodeProcess, stream: Stream) -> None:
    node.get("open?n=1", x_request_id="scraped-1")
    stream.event_of("scraped-1")
    assert node.metric("qg_access_segment_bytes") > 0
    assert node.metric("qg_access_events_waiting") > 0
    assert node.metric("qg_access_outstanding_bytes") > 0
    assert node.metric("qg_access_events_dropped_total") == 0
    assert node.metric("qg_access_events_gap_total") == 0
