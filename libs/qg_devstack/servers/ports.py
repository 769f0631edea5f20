"""Free TCP ports on loopback."""

import random
import socket

LOOPBACK = "127.0.0.1"

# Below the range from which Linux and macOS take the local ends of outgoing connections (32768 and 49152): a port
# that is free now is then not taken by somebody's client before our server binds it.
_PORT_MIN = 18_000
_PORT_MAX = 32_000
_TRIES_MAX = 200


def is_free(port: int) -> bool:
    """Whether a server could bind this port on loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A random port that nobody listens on at this moment. Raises OSError when none was found."""
    # Not the module's generator: tests seed it, and two workers with one seed would race for the same ports.
    choice = random.SystemRandom()
    for _ in range(_TRIES_MAX):
        port = choice.randint(_PORT_MIN, _PORT_MAX)
        if is_free(port):
            return port
    raise OSError(f"no free port between {_PORT_MIN} and {_PORT_MAX} after {_TRIES_MAX} tries")
