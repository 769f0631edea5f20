"""Universal integers, chunked bytes, packets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qg_standin.packets import DATA, Framing, frame_data, parse_connect, service_of
from qg_standin.wire import Malformed, NeedMore, Reader, bytes1, bytes2, ub


@given(st.integers(0, 2**64 - 1))
def test_universal_integers(value: int) -> None:
    reader = Reader(ub(value) + b"\x07")
    assert reader.ub(8) == value
    assert reader.u8() == 7


def test_an_integer_that_is_too_wide() -> None:
    with pytest.raises(Malformed):
        Reader(b"\x05\x01\x01\x01\x01\x01").ub(4)


@given(st.binary(max_size=400) | st.integers(250, 100_000).map(lambda n: bytes(n % 251 for _ in range(1)) * n))
def test_bytes_with_their_length(value: bytes) -> None:
    assert Reader(bytes1(value)).bytes_() == (value or None)
    assert Reader(bytes2(value)).bytes2() == (value or None)


@given(st.binary(min_size=1, max_size=600))
def test_every_cut_asks_for_more(value: bytes) -> None:
    whole = bytes1(value)
    for cut in range(0, len(whole), 7):
        with pytest.raises(NeedMore):
            Reader(whole[:cut]).bytes_()


@given(st.binary(max_size=5000), st.integers(512, 2000), st.integers(1, 977))
def test_messages_survive_packets_and_torn_reads(message: bytes, sdu: int, step: int) -> None:
    stream = frame_data(message, sdu, 0)
    framing = Framing()
    framing.wide, framing.sdu = True, sdu
    gathered = b""
    for start in range(0, len(stream), step):
        framing.feed(stream[start : start + step])
        while (packet := framing.next_packet()) is not None:
            assert packet.kind == DATA
            assert len(packet.body) + 8 <= sdu
            gathered += packet.body[2:]
    assert gathered == message
    assert not framing.buffer


@pytest.mark.parametrize("length", [0, 7, 3 * 1024 * 1024])
def test_impossible_packet_lengths(length: int) -> None:
    framing = Framing()
    framing.wide = True
    framing.feed(length.to_bytes(4, "big") + bytes(8))
    with pytest.raises(Malformed):
        framing.next_packet()


def test_a_connect_packet_that_is_too_short() -> None:
    with pytest.raises(Malformed):
        parse_connect(bytes(20))


@pytest.mark.parametrize(
    ("text", "found"),
    [("(DESCRIPTION=(CONNECT_DATA=(SERVICE_NAME=FREEPDB1)))", ("SERVICE_NAME", "FREEPDB1")),
     ("(CONNECT_DATA=( sid = ORCL ))", ("SID", "ORCL")), ("(CONNECT_DATA=())", None)],
)  # fmt: skip
def test_the_service_of_a_connect_string(text: str, found: tuple[str, str] | None) -> None:
    assert service_of(text) == found
