"""Whether the service in this container is alive or ready: `probe.py live|ready`, for HEALTHCHECK.

Asks the ops port on loopback. Status 0 when it answers 200, else 1. Python's own library alone: nothing has to be
installed for it, and it runs in an image without a shell.
"""

import http.client
import os
import sys

_TIMEOUT_S = 3.0
_OPS_PORT = "9090"


def answers_200(port: int, path: str) -> bool:
    """Whether `GET path` on loopback gives 200 within the time limit."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in ("live", "ready"):
        sys.stderr.write("probe.py live|ready\n")
        return 2
    return 0 if answers_200(int(os.environ.get("OPS_PORT", _OPS_PORT)), f"/-/{arguments[0]}") else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
