"""Measurements of the data plane against an application without a gateway; see docs/benchmarks.md."""
