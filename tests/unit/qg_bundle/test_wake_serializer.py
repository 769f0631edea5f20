"""What is read from the queue of wake-ups: the one job, and nothing else."""

import pickle
from typing import Any

import msgspec
import pytest
from arq.jobs import DeserializationError, deserialize_job_raw, serialize_job
from hypothesis import given
from hypothesis import strategies as st

from qg_bundle.wake import FUNCTION_NAME, JOB_BYTES_MAX, JobRefused, deserialize, serialize

JOB: dict[str, Any] = {"t": None, "f": FUNCTION_NAME, "a": (), "k": {}, "et": 1_700_000_000_000}


def test_what_is_written_is_read() -> None:
    body = serialize_job(FUNCTION_NAME, (), {}, None, 1_700_000_000_000, serializer=serialize)
    read: tuple[Any, ...] = deserialize_job_raw(body, deserializer=deserialize)
    assert read == (FUNCTION_NAME, (), {}, None, 1_700_000_000_000)
    assert len(body) < 50


class Planted:
    """Would create a file when unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.path, "w")


def test_a_pickle_is_refused_and_not_run(tmp_path: Any) -> None:
    marker = tmp_path / "ran"
    body = pickle.dumps({**JOB, "k": {"x": Planted(str(marker))}})
    with pytest.raises(JobRefused):
        deserialize(body)
    with pytest.raises(DeserializationError):
        deserialize_job_raw(body, deserializer=deserialize)
    assert not marker.exists()


@pytest.mark.parametrize(
    "job",
    [
        {**JOB, "f": "other"},
        {**JOB, "a": (1,)},
        {**JOB, "k": {"x": None}},
        {**JOB, "k": {"x": 1}},
        {**JOB, "et": "now"},
        {**JOB, "more": 1},
        {"f": FUNCTION_NAME},
        [1, 2],
        None,
    ],
)
def test_other_jobs_are_refused(job: object) -> None:
    with pytest.raises(JobRefused):
        deserialize(msgspec.msgpack.encode(job))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_the_job(body: bytes) -> None:
    try:
        job = deserialize(body)
    except JobRefused:
        return
    assert job["f"] == FUNCTION_NAME


def test_large_ones_are_refused_unread() -> None:
    with pytest.raises(JobRefused):
        deserialize(b"\x91" * 5_000_000)
    with pytest.raises(JobRefused):
        deserialize(b"\x91" * JOB_BYTES_MAX)
    with pytest.raises(JobRefused):
        serialize({**JOB, "k": {"x": "y" * JOB_BYTES_MAX}})
