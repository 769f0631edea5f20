"""A control plane that is killed in the middle of an edit, at a named point of its publish."""

import asyncio
import signal
import sys
from pathlib import Path

from qg_activation.fault_points import FaultPoint
from tests.integration.publishing.rig import Rig

ROOT = Path(__file__).parents[3]

SCRIPT = """
import asyncio, sys
from qg_activation.fault_points import fault_points_from
from qg_store.models import Endpoint
from tests.integration.publishing.rig import Keys, Rig

async def main():
    database, redis, point, endpoint_id, *keys = sys.argv[1:]
    faults = fault_points_from({"APP_ENV": "test", "QG_FAULT_POINT": point})
    rig = Rig(database, redis, Keys(*keys), faults=faults)
    rig.parts.activator.start()
    await rig.edit(Endpoint, endpoint_id, rows_max=4321)
    await asyncio.sleep(20)

asyncio.run(main())
"""


async def killed_edit(rig: Rig, database_url: str, redis_url: str, point: FaultPoint, endpoint_id: str) -> None:
    """Edit the endpoint in a process of its own, with the keys of `rig`, until it is killed at `point`."""
    found = rig.keys
    arguments = [database_url, redis_url, point.value, endpoint_id]
    keys = [found.signing, found.verify, found.at_rest, found.seal]
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SCRIPT, *arguments, *keys, cwd=ROOT)
    assert await asyncio.wait_for(process.wait(), 30) == -signal.SIGKILL
