"""Large bodies of snapshots: as many bytes as were promised, or an answer that is cut off for all to see."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from data_plane.catalogs.shapes import AnswerShape
from data_plane.requests.disconnects import Disconnects, Watched
from data_plane.snapshots.body import FileBody, HeldBody
from data_plane.snapshots.large_answers import LargeAnswers
from data_plane.snapshots.memory import SENT_BYTES, Held, Ready
from data_plane.snapshots.shelf import TextReader
from qg_core.errors import SnapshotMissing
from qg_core.specs import SPEC_FORMAT, DataStrategy, EndpointSpec, NumberStyle
from qg_oracle.deadlines import Deadline

STORED = bytes(range(256)) * (SENT_BYTES // 100)
TAIL = b"the tail"


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


async def _no_message() -> dict[str, object]:
    raise AssertionError("nothing is asked of a quick request")


def file_body(
    path: Path, size: int, threads: ThreadPoolExecutor, on_close: Callable[[], None] = lambda: None
) -> tuple[FileBody, Disconnects, Watched]:
    disconnects, watched = Disconnects(), Watched(_no_message, 0.0)
    reader = TextReader(path.open("rb", buffering=0), threads)
    body = FileBody(reader, size, TAIL, 7, Deadline.after_ms(1_000), watched, disconnects, on_close)
    return body, disconnects, watched


async def read(body: FileBody | HeldBody) -> list[bytes]:
    pieces = []
    while piece := await body.next_piece():
        pieces.append(piece)
    return pieces


async def test_a_file_and_its_tail(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    path = tmp_path / "stored"
    path.write_bytes(STORED)
    large = LargeAnswers(100)
    body, disconnects, _ = file_body(path, len(STORED), threads, large.enter("one"))
    assert body.size == len(STORED) + len(TAIL)
    pieces = await read(body)
    assert b"".join(pieces) == STORED + TAIL
    assert max(map(len, pieces)) == SENT_BYTES
    assert large.running == 1
    body.close()
    assert large.running == 0
    assert not disconnects._watched


@pytest.mark.parametrize("promised", [len(STORED) + 1, len(STORED) - 1, SENT_BYTES - 1])
async def test_a_file_of_another_size_never_ends_well(
    tmp_path: Path, threads: ThreadPoolExecutor, promised: int
) -> None:
    path = tmp_path / "stored"
    path.write_bytes(STORED)
    body, _, _ = file_body(path, promised, threads)
    with pytest.raises(SnapshotMissing):
        await read(body)
    body.close()


async def test_a_client_that_goes_away_is_seen(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    path = tmp_path / "stored"
    path.write_bytes(STORED)
    body, _, watched = file_body(path, len(STORED), threads)
    assert not body.gone
    watched.gone = True
    assert body.gone
    body.close()


async def test_bytes_in_memory_are_cut_once_for_all() -> None:
    held = Held(STORED)
    assert b"".join(held.pieces) == STORED
    last = held.pieces[-1] + TAIL
    ready = Ready(_shape(), 0, (), len(STORED) + len(TAIL), last, None)
    large = LargeAnswers(100)
    first, second = (HeldBody(held, ready, 7, Deadline.after_ms(1_000), large.enter("one")) for _ in range(2))
    pieces = await read(first)
    assert b"".join(pieces) == STORED + TAIL
    assert first.size == len(STORED) + len(TAIL)
    for mine, other in zip(pieces, await read(second), strict=True):
        assert mine is other, "nothing is copied per client"
    for _ in range(2):
        first.close()
        assert large.running == 1, "the second one is still being sent"
    assert await first.next_piece() == b""


def _shape() -> AnswerShape:
    return AnswerShape(
        EndpointSpec(
            format=SPEC_FORMAT,
            id="",
            name="",
            path="x",
            version="v1",
            connection_id="",
            auth_method_id=None,
            allow_unauthenticated=True,
            sql_text="",
            parameters={},
            column_map={},
            data_strategy=DataStrategy.SNAPSHOT,
            numbers=NumberStyle.NUMBER,
            rows_max=1,
            bytes_max=1,
            timeout_ms=None,
            concurrency_max=1,
            is_deprecated=False,
            deprecation_note=None,
        )
    )
