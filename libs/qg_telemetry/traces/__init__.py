"""Finished work as traces: what services hand over, and who sends it where (optional extra `otel`)."""

from qg_telemetry.traces.methods import known_method, request_name
from qg_telemetry.traces.otlp import TracesUnavailable, otlp_traces
from qg_telemetry.traces.work import Attribute, Kind, Traces, Work

__all__ = ["Attribute", "Kind", "Traces", "TracesUnavailable", "Work", "known_method", "otlp_traces", "request_name"]
