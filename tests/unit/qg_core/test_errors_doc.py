"""docs/errors.md lists every error a caller can meet, with its status, and no other."""

import re
from pathlib import Path

import pytest

from qg_core.errors import GatewayError, every_error

DOC = Path(__file__).parents[3] / "docs" / "errors.md"
ROW = re.compile(r"^\| `([a-z_]+)` \| (\d{3}) \| (.+) \| (.+) \|$", re.M)
OURS = [error for error in every_error() if error.__module__ == "qg_core.errors"]


def test_the_page_and_the_code_agree() -> None:
    documented = [(code, int(status)) for code, status, _, _ in ROW.findall(DOC.read_text())]
    assert len(documented) == len(set(documented))
    assert set(documented) == {(error.code, error.status) for error in OURS}


@pytest.mark.parametrize("error", OURS, ids=lambda error: error.code)
def test_an_error_has_a_code_and_words_of_its_own(error: type[GatewayError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
    assert [other.code for other in OURS].count(error.code) == 1
    assert 400 <= error.status <= 504
    assert error.title
    assert error.title[0].isupper()
    assert error.default_detail.endswith(".")
