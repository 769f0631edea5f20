"""Lines of a file that was damaged or altered: read as far as they make sense, never an error that nobody foresaw."""

from pathlib import Path

import pytest

from data_plane.access_log.segment import count_after, place_after, read_segment
from data_plane.access_log.segments import Segments
from qg_core.access_events import SEQUENCE_MAX


def lines(*numbers: int) -> bytes:
    return b"".join(b'[%d,"x"]\n' % number for number in numbers)


@pytest.mark.parametrize(
    ("body", "last", "thrown_away"),
    [
        (lines(1, 2, 5), 5, 0),
        (lines(1, 2, 2, 3), 2, 2),
        (lines(1, 2, SEQUENCE_MAX + 1), 2, 1),
        (lines(1, 2) + b"[0,1]\n", 2, 1),
        (lines(1, 2) + b"[3,", 2, 0),
        (lines(1) + b"\0" * 20, 1, 0),
    ],
)
def test_lines_are_read_as_far_as_they_ascend(tmp_path: Path, body: bytes, last: int, thrown_away: int) -> None:
    path = tmp_path / "lines"
    path.write_bytes(body)
    segment, bad = read_segment(path, 0)
    assert (segment.last, bad) == (last, thrown_away)
    assert path.stat().st_size == segment.size


@pytest.mark.parametrize("altered", [b"", b"[1,", b"[1,2]", b"no number\n", b"\n\n\n"])
def test_a_file_that_is_altered_while_it_is_open_is_a_disk_error(tmp_path: Path, altered: bytes) -> None:
    segments = Segments(tmp_path)
    segments.append(lines(1, 2, 4), 1, 4, 3)
    (path,) = tmp_path.iterdir()
    path.write_bytes(altered)
    segment = segments._segments[0]
    for read in (
        lambda: place_after(segment, 2),
        lambda: count_after(segment, 2),
        lambda: segments.number_after(2),
        lambda: segments.after(0, lines_max=10, bytes_max=1_000),
    ):
        with pytest.raises(OSError, match="altered"):
            read()
    segments.close()
