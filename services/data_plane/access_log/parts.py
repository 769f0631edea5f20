"""The access log of one node, put together."""

from collections.abc import Sequence
from pathlib import Path

from redis.asyncio import Redis

from data_plane.access_log.disk_thread import DiskThread
from data_plane.access_log.logs import Logs
from data_plane.access_log.recorder import Recorder
from data_plane.access_log.sender import Sender
from qg_security.tags import ACCESS_BATCH_CONTEXT, ACCESS_PERSISTED_CONTEXT, TagKeys
from qg_telemetry.events import Observe, UnforeseenError


def make_recorder(
    state_dir: Path, bytes_max: int, *, redis: Redis, node: str, seal_keys: Sequence[str], observe: Observe
) -> Recorder:
    """The recorder of one node, with its parts; start it in the event loop."""
    disk = DiskThread("access-log", lambda error: observe(UnforeseenError.of("access log", error)))
    logs = Logs(state_dir, bytes_max, observe)
    sender = Sender(
        redis,
        disk,
        logs,
        node=node,
        batch_tags=TagKeys(seal_keys, ACCESS_BATCH_CONTEXT),
        persisted_tags=TagKeys(seal_keys, ACCESS_PERSISTED_CONTEXT),
        observe=observe,
    )
    return Recorder(logs, disk, sender, observe)
