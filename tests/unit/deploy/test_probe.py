"""deploy/image/probe.py, the health check of every container."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deploy.image.probe import answers_200, main


class _Ops(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/-/live" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def ops_port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Ops) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("question", "status"), [("live", 0), ("ready", 1)])
def test_it_asks_the_ops_port(ops_port: int, question: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_PORT", str(ops_port))
    assert main([question]) == status


def test_nobody_there_is_not_well(free_port: int) -> None:
    assert not answers_200(free_port, "/-/live")


@pytest.mark.parametrize("arguments", [[], ["dead"], ["live", "ready"]])
def test_it_says_how_it_is_called(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "live|ready" in capsys.readouterr().err
