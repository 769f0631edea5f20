"""What a listener accepts before the application is asked."""

import msgspec


class ListenLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one listener.

    `connections_max` connections are served at once, further ones wait in the kernel's `backlog`. A head (request line
    and headers) longer than about `head_bytes_max` is answered 431. A connection on which no whole head arrived for
    `idle_timeout_ms` is closed, a kept-alive one too: it has to be longer than a load balancer in front keeps idle
    connections (nginx: 60 s), or that one sends requests into connections that are just being closed. Exact limits on
    target, headers and body are the application's.
    """

    connections_max: int = 4_096
    backlog: int = 1_024
    head_bytes_max: int = 32 * 1024
    idle_timeout_ms: int = 75_000


OPS_LIMITS = ListenLimits(connections_max=128, backlog=128)
