"""One process, one event loop, one or two listeners: how every service of the gateway listens, drains and stops."""

from qg_serving.drain import Draining, RunningRequests
from qg_serving.limits import ListenLimits
from qg_serving.listeners import AddressInUse
from qg_serving.runner import run
from qg_serving.serve import Drains, ServeOutcome, serve, serve_ops

__all__ = [
    "AddressInUse",
    "Draining",
    "Drains",
    "ListenLimits",
    "RunningRequests",
    "ServeOutcome",
    "run",
    "serve",
    "serve_ops",
]
