"""A process for the tests to kill: it answers requests as fast as it can, one byte on standard output per answer."""

import asyncio
import os
import sys
from pathlib import Path

from tests.integration.access_log.access_rig import RecordingNode, event

AT_ONCE = 37


async def main(state_dir: Path, redis_url: str) -> None:
    async with RecordingNode(state_dir, redis_url) as node:
        recorder = node.recorder
        while True:
            for _ in range(AT_ONCE):
                recorder.begin()
                os.write(1, b".")  # the answer; nobody learns of it later than the counter does
            # As the request log does: finished requests wait a little, in memory alone, and get their numbers together.
            first = recorder.end(AT_ONCE)
            recorder.record([event(number) for number in range(first, first + AT_ONCE)])
            await asyncio.sleep(0)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
