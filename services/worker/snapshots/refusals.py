"""Why a result can't become a snapshot although the database gave it."""


class SnapshotRefused(Exception):
    """The result is not stored; the message says why and what to change, for admins."""


class SnapshotTooLarge(SnapshotRefused):
    """The text is longer than `SNAPSHOT_BYTES_MAX`."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__(
            f"The result is larger than SNAPSHOT_BYTES_MAX ({bytes_max} bytes) allows: "
            "let the statement return less, lower the endpoint's limits, or raise the setting."
        )


class CopiesTooLarge(SnapshotRefused):
    """With this one, the newest snapshots of all endpoints would not fit into their share of Redis."""

    def __init__(self, total_bytes: int, bytes_max: int) -> None:
        super().__init__(
            f"The newest snapshots of all endpoints would take {total_bytes} bytes in Redis, more than "
            f"SNAPSHOTS_REDIS_BYTES_MAX ({bytes_max}) allows: let statements return less, or raise the setting."
        )


class SpoolFailed(SnapshotRefused):
    """The worker's disk did not take the result."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"The worker can't write the result to STATE_DIR ({error.strerror or type(error).__name__}).")
