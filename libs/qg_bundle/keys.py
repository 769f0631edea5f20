"""The names of everything in Redis. They are spelled nowhere else; all begin with `qg:`."""

import re

HEAD = "qg:head"
"""The newest activated revision, in decimal digits. Not signed: only a reason to look."""

BEACON = "qg:beacon"
"""The newest sealed beacon."""

CHECKPOINT_NEWEST = "qg:checkpoint:newest"
"""The revision of the newest checkpoint, in decimal digits. Not signed."""

SPEC_TIMES = "qg:specs"
"""Sorted set: digest -> Unix seconds when a control plane last put it. For garbage."""

DELTA_REVISIONS = "qg:deltas"
CHECKPOINT_REVISIONS = "qg:checkpoints"
"""Sorted sets: revision -> revision. For garbage."""

NODES = "qg:nodes"
"""Sorted set: node -> Unix seconds of its newest report."""

HINT = "qg:hint"
"""Pub/sub channel: the new head. Only a hint; a lost one costs a tick."""

SNAPSHOT_NUMBERS = "qg:snapshots"
"""Sorted set: endpoint id -> number of its newest snapshot. Not tagged: only a reason to look."""

SNAPSHOTS_VERSION = "qg:snapshots:version"
"""Another value after every change of a snapshot, in decimal digits."""

ACCESS = "qg:access"
ACCESS_GROUP = "sink"
"""Stream of batches of access events, and the group of workers that read it."""

ACCESS_PERSISTED = "qg:access:persisted"
"""Hash: log id -> the tagged watermark up to which that log is stored."""

SPEC_PREFIX = "qg:spec:"
DELTA_PREFIX = "qg:delta:"
CHECKPOINT_PREFIX = "qg:checkpoint:"
NODE_PREFIX = "qg:node:"
SNAPSHOT_PREFIX = "qg:snapshot:"
SNAPSHOT_PARTS_PREFIX = "qg:snapshot-parts:"
SNAPSHOT_PIECE_PREFIX = "qg:snapshot-piece:"

NODE_NAME_LENGTH_MAX = 64
NODE_NAME = re.compile(rf"[A-Za-z0-9._-]{{1,{NODE_NAME_LENGTH_MAX}}}")
"""What a node may be called (`fullmatch`)."""


def spec(digest: str) -> str:
    """The bytes of one spec."""
    return f"{SPEC_PREFIX}{digest}"


def delta(revision: int) -> str:
    """The sealed delta that leads to `revision`."""
    return f"{DELTA_PREFIX}{revision}"


def checkpoint(revision: int) -> str:
    """The sealed checkpoint of `revision`."""
    return f"{CHECKPOINT_PREFIX}{revision}"


def node(name: str) -> str:
    """The newest report of one node; expires."""
    return f"{NODE_PREFIX}{name}"


def snapshot(endpoint_id: str) -> str:
    """The tagged header of the newest snapshot of an endpoint."""
    return f"{SNAPSHOT_PREFIX}{endpoint_id}"


def snapshot_parts(endpoint_id: str) -> str:
    """Which pieces that snapshot has (`<snapshot id> zstd:<pieces> gzip:<pieces>`): how a writer finds them again."""
    return f"{SNAPSHOT_PARTS_PREFIX}{endpoint_id}"


def snapshot_piece(snapshot_id: str, encoding: str, number: int) -> str:
    """One piece of one encoding, counted from 0."""
    return f"{SNAPSHOT_PIECE_PREFIX}{snapshot_id}:{encoding}:{number}"
