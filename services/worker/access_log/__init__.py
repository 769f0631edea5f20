"""The access-log sink: from the stream of batches into Postgres, and to the nodes how far they are stored."""

from worker.access_log.sink import AccessSink, Pace

__all__ = ["AccessSink", "Pace"]
