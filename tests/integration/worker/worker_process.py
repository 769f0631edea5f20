"""A worker process under test: its ops port, its log lines, its signals."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from tests.support import loopback
from tests.support.waiting import wait_until

LogLine = dict[str, object]


class WorkerProcess:
    """One `querygateway worker`."""

    def __init__(self, environ: dict[str, str], log_path: Path) -> None:
        self.name = environ["WORKER_NAME"]
        self.ops_url = f"http://127.0.0.1:{environ['OPS_PORT']}/-"
        self.log_path = log_path
        self._log = log_path.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "worker"],
            env={"PATH": os.environ["PATH"], **environ},
            stdout=self._log,
            stderr=self._log,
        )

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, self.log_path.read_text()
            return self.ready_status() == 200

        wait_until(ready, f"{self.name} is ready", 30)

    def ready_status(self) -> int | None:
        """The status of /-/ready; null while nothing listens."""
        return loopback.status_of(f"{self.ops_url}/ready")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def terminate(self, timeout_s: float = 30.0) -> int:
        """SIGTERM, and the exit status."""
        self.process.terminate()
        return self.process.wait(timeout_s)

    def stop(self) -> None:
        """End it for good, whatever state it is in."""
        self.process.kill()
        self.process.wait()
        self._log.close()

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        text = loopback.get(f"{self.ops_url}/metrics").text
        return sum(float(value) for value in re.findall(rf"^{name}(?:\{{.*\}})? ([0-9.e+-]+)$", text, re.MULTILINE))

    def rss_bytes(self) -> int:
        """Resident memory."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE)[0]) * 1024

    def lines(self, **fields: object) -> list[LogLine]:
        """The log lines that have these fields."""
        complete = self.log_path.read_bytes().rpartition(b"\n")[0]
        found = [msgspec.json.decode(line, type=LogLine) for line in complete.splitlines()]
        return [line for line in found if all(line.get(name) == value for name, value in fields.items())]

    def wait_for_line(self, timeout_s: float = 15.0, **fields: object) -> LogLine:
        """The first line with these fields, when it comes."""
        try:
            wait_until(lambda: bool(self.lines(**fields)), f"a line with {fields}", timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; last lines: {self.log_path.read_text()[-3000:]}") from None
        return self.lines(**fields)[0]
