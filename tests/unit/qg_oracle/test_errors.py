"""Codes to errors: the table, the driver's own errors, listeners' answers, and that nothing is told to callers."""

import ssl

import oracledb
import pytest

from qg_core.errors import DatabaseBusy, DatabaseUnreachable, GatewayError, QueryFailed, QueryRefused, QueryTimedOut
from qg_oracle.errors import FailureKind, classify, describe_refusal, to_gateway_error, to_preview_error

SECRETS = "HR.SALARIES db.internal:1521 SELECT secret FROM"


class _Details:
    """Shaped as the driver's error objects are (oracledb.errors._Error)."""

    def __init__(self, code: int, full_code: str, offset: int = 0) -> None:
        self.code, self.full_code, self.offset = code, full_code, offset
        self.is_session_dead = False

    def __str__(self) -> str:
        return f"{self.full_code}: {SECRETS}"


def ora(code: int, offset: int = 0) -> oracledb.DatabaseError:
    return oracledb.DatabaseError(_Details(code, f"ORA-{code:05}", offset))


def dpy(code: int, ora_code: int = 0) -> oracledb.DatabaseError:
    return oracledb.DatabaseError(_Details(ora_code, f"DPY-{code}"))


@pytest.mark.parametrize(
    ("error", "kind", "code", "expected"),
    [
        (ora(942), FailureKind.QUERY, "ORA-00942", QueryFailed),
        (ora(904), FailureKind.QUERY, "ORA-00904", QueryFailed),
        (ora(1722), FailureKind.QUERY, "ORA-01722", QueryFailed),
        (ora(20001), FailureKind.QUERY, "ORA-20001", QueryFailed),
        (ora(1031), FailureKind.QUERY, "ORA-01031", QueryFailed),
        (ora(18), FailureKind.BUSY, "ORA-00018", DatabaseBusy),
        (ora(1555), FailureKind.BUSY, "ORA-01555", DatabaseBusy),
        (ora(2391), FailureKind.BUSY, "ORA-02391", DatabaseBusy),
        (ora(4031), FailureKind.BUSY, "ORA-04031", DatabaseBusy),
        (ora(1013), FailureKind.TIMED_OUT, "ORA-01013", QueryTimedOut),
        (ora(40), FailureKind.TIMED_OUT, "ORA-00040", QueryTimedOut),
        (ora(1033), FailureKind.UNREACHABLE, "ORA-01033", DatabaseUnreachable),
        (ora(1017), FailureKind.REFUSED, "ORA-01017", DatabaseUnreachable),
        (ora(28000), FailureKind.REFUSED, "ORA-28000", DatabaseUnreachable),
        (dpy(4011, 3113), FailureKind.LOST, "ORA-03113", DatabaseUnreachable),
        (dpy(4011), FailureKind.LOST, "DPY-4011", DatabaseUnreachable),
        (dpy(1001), FailureKind.LOST, "DPY-1001", DatabaseUnreachable),
        (dpy(4024), FailureKind.TIMED_OUT, "DPY-4024", QueryTimedOut),
        (dpy(4005), FailureKind.BUSY, "DPY-4005", DatabaseBusy),
        (dpy(4003), FailureKind.QUERY, "DPY-4003", QueryFailed),
        (dpy(4010), FailureKind.QUERY, "DPY-4010", QueryFailed),
        (dpy(3022), FailureKind.QUERY, "DPY-3022", QueryFailed),
        (dpy(6005), FailureKind.UNREACHABLE, "DPY-6005", DatabaseUnreachable),
        (ConnectionResetError("x"), FailureKind.LOST, "network", DatabaseUnreachable),
        (ssl.SSLError("x"), FailureKind.LOST, "tls", DatabaseUnreachable),
        (TimeoutError(), FailureKind.TIMED_OUT, "timeout", QueryTimedOut),
        (ValueError("year -4712 is out of range"), FailureKind.QUERY, "ValueError", QueryFailed),
    ],
)
def test_the_table(error: Exception, kind: FailureKind, code: str, expected: type[GatewayError]) -> None:
    failure = classify(error)
    assert (failure.kind, failure.code) == (kind, code)
    mapped = to_gateway_error(failure)
    assert type(mapped) is expected
    assert mapped.cause_code == code
    assert mapped.detail == expected.default_detail
    assert ("Retry-After" in mapped.headers) == (kind in {FailureKind.BUSY, FailureKind.UNREACHABLE, FailureKind.LOST})


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (12516, FailureKind.BUSY),
        (12520, FailureKind.BUSY),
        (12514, FailureKind.UNREACHABLE),
        (12541, FailureKind.UNREACHABLE),
    ],
)
def test_a_listeners_answer_is_found_in_the_causes(code: int, kind: FailureKind) -> None:
    error = dpy(6005)
    error.__cause__ = oracledb.OperationalError(f"DPY-6000: Listener refused connection. (Similar to ORA-{code})")
    failure = classify(error, logging_on=True)
    assert (failure.kind, failure.code) == (kind, f"ORA-{code}")


def test_while_signing_in_every_failure_is_the_databases() -> None:
    for error in (ora(942), dpy(4017), ValueError("x"), TimeoutError(), OSError("x"), ssl.SSLError("x")):
        assert classify(error, logging_on=True).kind is FailureKind.UNREACHABLE
    assert classify(ora(1017), logging_on=True).kind is FailureKind.REFUSED
    assert classify(ora(18), logging_on=True).kind is FailureKind.BUSY


def test_previews_say_the_class_of_error_and_where() -> None:
    refused = to_preview_error(classify(ora(942, offset=14)))
    assert isinstance(refused, QueryRefused)
    assert "ORA-00942, at character 15" in refused.detail
    assert isinstance(to_preview_error(classify(ora(18))), DatabaseBusy)
    assert "application error (ORA-20123)" in describe_refusal(classify(ora(20123)))
    assert "DPY-4003" in describe_refusal(classify(dpy(4003)))


@pytest.mark.parametrize("code", [0, 1, 18, 942, 1013, 1017, 3113, 12514, 20001, 65535])
def test_no_text_of_the_database_gets_out(code: int) -> None:
    for error in (ora(code), dpy(4011, code), dpy(6005, code)):
        for failure in (classify(error), classify(error, logging_on=True)):
            for mapped in (to_gateway_error(failure), to_preview_error(failure)):
                for word in SECRETS.split():
                    assert word not in mapped.detail
