"""Time, rows, bytes and clients that leave: an answer is whole, or it is visibly cut or aborted."""

import itertools
import socket
import threading
import time
from datetime import datetime

import pytest

from tests.integration.data_plane.node_process import NodeProcess, chunked_end
from tests.support.waiting import wait_until


def test_rows_max(node: NodeProcess) -> None:
    body = node.get("rows").json()
    assert len(body["data"]) == 7
    assert body["meta"]["row_count"] == 7
    assert body["meta"]["truncated"] is True


def test_bytes_max(node: NodeProcess) -> None:
    answer = node.get("bytes")
    body = answer.json()
    assert 0 < len(body["data"]) < 1_000
    assert body["meta"]["truncated"] is True
    assert len(answer.content) < 500 + 300


def test_a_time_limit(quiet: NodeProcess) -> None:
    started = time.monotonic()
    answer = quiet.get("hasty?s=20")
    assert (answer.status_code, answer.json()["code"]) == (504, "query_timeout")
    assert time.monotonic() - started < 3
    assert quiet.get("hasty?s=0.01").status_code == 200


def test_as_many_calls_as_the_endpoint_allows(quiet: NodeProcess) -> None:
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(quiet.get("slow?s=1").status_code)) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_until(lambda: quiet.metric("qg_requests_running") >= 2, "both run")
    busy = quiet.get("slow?s=1")
    for thread in threads:
        thread.join()
    assert answers == [200, 200]
    assert (busy.status_code, busy.json()["code"]) == (503, "endpoint_busy")
    assert busy.headers["retry-after"] == "1"


def test_a_large_answer_comes_whole_in_pieces(quiet: NodeProcess) -> None:
    answer = quiet.get("large")
    assert answer.headers["transfer-encoding"] == "chunked"
    assert len(answer.content) > 2 * 1024 * 1024
    body = answer.json()
    assert len(body["data"]) == body["meta"]["row_count"] == 100_000
    assert body["meta"]["truncated"] is True
    line = quiet.wait_for_line(request_id=answer.headers["x-request-id"])
    assert (line["row_count"], line["bytes"], line["outcome"]) == (100_000, len(answer.content), "ok")


def test_an_error_after_the_first_byte_aborts_the_answer(quiet: NodeProcess) -> None:
    answer = quiet.raw(b"GET /api/v1/data/late-error HTTP/1.1\r\nHost: x\r\nX-Request-ID: late\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert not chunked_end(answer)
    line = quiet.wait_for_line(event="request_served", request_id="late")
    assert (line["aborted"], line["outcome"], line["error_code"]) == (True, "aborted", "query_failed")
    assert line["ora_code"] == "ORA-01722"


def test_a_client_that_reads_too_slowly_is_given_up(quiet: NodeProcess) -> None:
    with quiet.connect("large/hasty", receive_buffer=4_096) as connection:
        connection.recv(100)
        line = quiet.wait_for_line(event="request_served", endpoint="large/hasty", aborted=True)
    assert line["outcome"] == "aborted"
    assert line["error_code"] == "query_timeout"


def test_a_complete_answer_in_pieces_has_its_length(quiet: NodeProcess) -> None:
    answer = quiet.get("ready")
    assert "transfer-encoding" not in answer.headers
    assert int(answer.headers["content-length"]) == len(answer.content) > 5 * 128 * 1024
    assert answer.json()["meta"]["row_count"] == 16_000
    assert len(answer.json()["data"]) == 16_000


def test_clients_that_leave_in_the_middle_of_a_query(quiet: NodeProcess) -> None:
    for _ in range(20):
        leaving = [quiet.connect("slow?s=30") for _ in range(2)]
        wait_until(lambda: quiet.metric("qg_requests_running") >= 2, "both run")
        for connection in leaving:
            connection.close()
        wait_until(lambda: quiet.metric("qg_requests_running") == 0, "both ended")
        # Calls that are still being given up count against the endpoint's two.
        wait_until(lambda: quiet.metric("qg_pool_sessions_busy") == 0, "no session is busy")
    line = quiet.wait_for_line(event="request_served", endpoint="slow", status=499)
    assert line["aborted"] is True
    assert quiet.get("slow?s=0.01").status_code == 200


def lines_of(node: NodeProcess, endpoint: str) -> int:
    return sum(line.get("endpoint") == endpoint for line in node.log_lines())


def test_a_client_that_leaves_a_large_answer(quiet: NodeProcess) -> None:
    before = lines_of(quiet, "large")
    connection = quiet.connect("large")
    connection.recv(1_000)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
    wait_until(lambda: lines_of(quiet, "large") > before, "its line")
    assert quiet.get("open?n=1").status_code == 200


@pytest.mark.parametrize("path", ["open?n=1", "no/such", "with/key?n=1", "open?n=x"])
def test_pipelined_requests_are_answered_in_order(node: NodeProcess, path: str) -> None:
    request = f"GET /api/v1/data/{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    answer = node.raw(request * 5)
    assert answer.count(b"HTTP/1.1 ") == 5


def test_one_line_per_request_without_secrets(node: NodeProcess) -> None:
    for number, path in enumerate(("open?n=1", "open?n=x", "no/such", "closed?n=1")):
        node.get(path, X_Request_ID=f"line-{number}", Authorization="Bearer very-secret-token")
    for number, (status, outcome) in enumerate([(200, "ok"), (422, "refused"), (404, "refused"), (401, "refused")]):
        line = node.wait_for_line(event="request_served", request_id=f"line-{number}")
        assert (line["status"], line["outcome"]) == (status, outcome)
        assert line["client_ip"] == "127.0.0.1"
        assert [other.get("request_id") for other in node.log_lines() if other["event"] == "request_served"].count(
            f"line-{number}"
        ) == 1
    text = node.log_path.read_text()
    assert "very-secret-token" not in text
    assert "n=x" not in text
    assert node.wait_for_line(event="public_endpoint_served", endpoint="open")["level"] == "warning"
    assert node.wait_for_line(event="unauthenticated_endpoint_denied", endpoint="closed")["level"] == "warning"
    said = [
        line for line in node.log_lines() if line["event"] == "public_endpoint_served" and line["endpoint"] == "open"
    ]
    assert all(line["endpoint_id"] for line in said)
    # Other tests of this file call the same endpoint, also more than a minute before.
    moments = [datetime.fromisoformat(str(line["at"])) for line in said]
    assert all((later - earlier).total_seconds() > 59 for earlier, later in itertools.pairwise(moments))
