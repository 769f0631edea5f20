"""`X-QG-Min-Revision`: the caller wants an answer from this revision or a later one."""

import re
from typing import Protocol

from qg_core.client_address import network_of
from qg_core.errors import RevisionNotReached

_NUMBER = re.compile(rb"[0-9]{1,18}").fullmatch


class Revisions(Protocol):
    """Who knows of revisions; bounds the time, the number of waiters and the distance."""

    async def wait_for(self, revision: int, network: str) -> None:
        """Return once `revision` is served; `network` is whom the wait counts for. Raises `RevisionNotReached`."""
        ...


async def reach(revisions: Revisions, header: bytes, client_ip: str) -> None:
    """Wait until the revision the header names is served. Raises `RevisionNotReached`, at once for no number."""
    if not _NUMBER(header):
        raise RevisionNotReached("X-QG-Min-Revision must be a revision number.")
    await revisions.wait_for(int(header), network_of(client_ip))
