"""NUMBER encoding against an independent reading of the format."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qg_standin.oracle_numbers import decode_number, encode_number, is_short_integer, scaled_encoder


@pytest.mark.parametrize(
    ("text", "encoded"),
    [("0", "0180"), ("1", "02c102"), ("100", "02c202"), ("12345", "04c302182e"), ("-1", "033e6466"),
     ("0.1", "02c00b"), ("-0.1", "033f5b66"), ("0.01", "02c002"), ("-12345", "053cfe... "), ("1E+2", "02c202")],
)  # fmt: skip
def test_known_encodings(text: str, encoded: str) -> None:
    if encoded.endswith("... "):
        assert decode_number(encode_number(text)[1:]) == Decimal(text)
    else:
        assert encode_number(text).hex() == encoded


_whole = st.integers(-(10**38) + 1, 10**38 - 1)


@given(_whole, st.integers(-20, 20))
def test_every_number_of_38_digits_survives(digits: int, exponent: int) -> None:
    value = Decimal(digits).scaleb(exponent)
    encoded = encode_number(str(value))
    assert encoded[0] == len(encoded) - 1 <= 21
    assert decode_number(encoded[1:]) == value


@given(st.integers(-(10**18), 10**18), st.sampled_from([0, 2, 4, 6, 10]))
def test_the_tables_agree_with_the_long_way(value: int, places: int) -> None:
    assert scaled_encoder(places)(value) == encode_number(str(Decimal(value).scaleb(-places)))


@given(_whole, st.integers(1, 10**20))
def test_order_is_kept_bytewise(value: int, more: int) -> None:
    assert encode_number(str(value))[1:] < encode_number(str(min(value + more, 10**38)))[1:]


@given(_whole, st.integers(-6, 0))
def test_short_integers_are_recognised(digits: int, exponent: int) -> None:
    value = Decimal(digits).scaleb(exponent)
    is_short = value == value.to_integral_value() and abs(value) < 10**18
    assert is_short_integer(encode_number(str(value))[1:]) == is_short
