"""Header lines as a mapping: nothing is lost, nothing is shadowed, and the size is that of the lines."""

from hypothesis import given
from hypothesis import strategies as st

from qg_core.header_fields import HeaderLine, read_fields

NAMES = st.sampled_from([b"a", b"x-api-key", b"accept-encoding", b"x-forwarded-for"])


@given(lines=st.lists(st.tuples(NAMES, st.binary(max_size=20)), max_size=12))
def test_every_line_is_there_and_counted(lines: list[HeaderLine]) -> None:
    fields = read_fields(lines)
    names = [name for name, _ in lines]
    assert set(fields) == set(names)
    for name, value in fields.items():
        assert value == b", ".join(found for line, found in lines if line == name)
    assert fields.repeated == {name for name in names if names.count(name) > 1}
    assert fields.size == sum(len(b"%b: %b\r\n" % line) for line in lines)


def test_repeated_names_of_one_request_are_not_another_ones() -> None:
    assert read_fields([(b"a", b"1"), (b"a", b"2")]).repeated == {b"a"}
    assert read_fields([(b"a", b"1")]).repeated == frozenset()
