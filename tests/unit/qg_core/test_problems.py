"""Problem documents: the shape of every error body."""

import json

import pytest

from qg_core.errors import (
    CredentialInvalid,
    CredentialMissing,
    DatabaseBusy,
    FieldProblem,
    InvalidInput,
    MethodNotAllowed,
    NotFound,
    RateLimited,
)
from qg_core.problems import INTERNAL_ERROR_BODY, problem_body


def test_an_error_becomes_a_document() -> None:
    assert json.loads(problem_body(NotFound("No such connection."), "r-1")) == {
        "type": "urn:querygateway:error:not_found",
        "title": "Not found",
        "status": 404,
        "detail": "No such connection.",
        "code": "not_found",
        "request_id": "r-1",
    }


def test_all_field_problems_are_listed_and_detail_stays_one_short_string() -> None:
    problems = [FieldProblem(f"param_schema.p{number}.type", "is unknown") for number in range(50)]
    document = json.loads(problem_body(InvalidInput(problems), "r"))
    assert [entry["field"] for entry in document["errors"]] == [problem.field for problem in problems]
    assert document["detail"].count("is unknown") == 3
    assert document["detail"].endswith("; and 47 more")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_problems_are_all_in_the_detail(count: int) -> None:
    document = json.loads(problem_body(InvalidInput([FieldProblem("a", "b")] * count), "r"))
    assert document["detail"] == "; ".join(["a: b"] * count)


def test_an_own_detail_wins_and_no_problems_is_fine() -> None:
    assert json.loads(problem_body(InvalidInput([FieldProblem("a", "b")], "Wrong."), "r"))["detail"] == "Wrong."
    assert "errors" not in json.loads(problem_body(InvalidInput([]), "r"))


def test_headers_that_belong_to_an_error() -> None:
    assert CredentialMissing(challenge="ApiKey").headers == {"WWW-Authenticate": "ApiKey"}
    assert MethodNotAllowed(["GET", "HEAD"]).headers == {"Allow": "GET, HEAD"}
    assert RateLimited(retry_after_s=0).headers == {"Retry-After": "1"}
    assert DatabaseBusy(retry_after_s=7).headers == {"Retry-After": "7"}
    assert DatabaseBusy().headers == {}


def test_the_reason_of_a_refused_credential_is_not_in_the_answer() -> None:
    error = CredentialInvalid(reason="wrong_signature")
    assert error.reason == "wrong_signature"
    assert b"wrong_signature" not in problem_body(error, "r")


def test_details_with_any_text_stay_json() -> None:
    detail = 'quote " newline \n control \x00 unicode ä\u2028'
    assert json.loads(problem_body(NotFound(detail), "r"))["detail"] == detail


def test_the_unforeseen_is_exactly_this() -> None:
    assert INTERNAL_ERROR_BODY == b'{"detail":"Internal server error"}'
    assert json.loads(INTERNAL_ERROR_BODY) == {"detail": "Internal server error"}
