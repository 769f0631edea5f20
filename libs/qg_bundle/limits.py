"""How large what is published may be: the writer refuses to publish more, the reader refuses to take more.

A reader asks Redis for at most one byte beyond each limit, so whatever somebody writes there costs it no more.
"""

HEAD_BYTES_MAX = 20
"""A revision in decimal digits."""

REVISION_MAX = 2**53 - 1
"""The largest revision: Redis compares numbers as doubles, and so do many readers of JSON."""

BEACON_BYTES_MAX = 2_048
SPEC_BYTES_MAX = 1_048_576
DELTA_BYTES_MAX = 33_554_432
"""About 170,000 changes: one delta may revoke every credential of the gateway."""

CHECKPOINT_BYTES_MAX = 67_108_864
"""About 330,000 entries."""

NODE_REPORT_BYTES_MAX = 16_384
NODES_MAX = 1_000
"""Node reports that are read, newest first."""

DELTAS_PER_READ_MAX = 256
"""A node further behind than this takes a checkpoint."""

READ_BYTES_MAX = 2_097_152
"""What one round trip for several values may bring, unless a single value is larger."""

SPECS_PER_READ_MAX = 200
"""Digests are checked between round trips; 200 ordinary specs are hashed in about a millisecond."""
