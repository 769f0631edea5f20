"""Reading the nodes' reports beside the head."""

from redis.asyncio import Redis

from control_plane.publishing.service import Publishing
from qg_bundle.link import LINK_ERRORS
from qg_bundle.node_reports import read_reports
from qg_core.errors import Unavailable
from qg_core.nodes import NodeReport


class Fleet:
    def __init__(self, redis: Redis, publishing: Publishing) -> None:
        self._redis = redis
        self._publishing = publishing

    async def look(self) -> tuple[int, list[NodeReport]]:
        """The head revision and all fresh reports, by node. Raises `Unavailable` while Redis is away."""
        head = await self._publishing.head()
        try:
            return head, await read_reports(self._redis)
        except LINK_ERRORS as error:
            raise Unavailable("The nodes' reports can't be read: Redis is away.", retry_after_s=2) from error
