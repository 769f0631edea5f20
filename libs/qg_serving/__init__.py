"""One process, one event loop, two listeners: how every service of the gateway listens, drains and stops."""

from qg_serving.drain import Draining
from qg_serving.limits import ListenLimits
from qg_serving.listeners import AddressInUse
from qg_serving.runner import run
from qg_serving.serve import ServeOutcome, serve

__all__ = ["AddressInUse", "Draining", "ListenLimits", "ServeOutcome", "run", "serve"]
