"""Prometheus metrics: a registry per process, fed by events and, for states, by readers asked at scrape time."""

from qg_telemetry.metrics.registry import Metrics
from qg_telemetry.metrics.states import STATES, State

__all__ = ["STATES", "Metrics", "State"]
