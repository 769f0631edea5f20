"""The process in which statements are parsed. It reads length-prefixed messages on stdin and answers on stdout.

It holds no secret (its environment is nearly empty), opens nothing, and ends when stdin ends: so it goes with its
parent, however that dies. An alarm ends it should one parse never return; the parent starts a new one.
"""

from __future__ import annotations

import contextlib
import logging
import resource
import signal
import sys
from typing import BinaryIO

import msgspec

from qg_core.sql_policy import SqlRefused
from qg_core.sql_policy.policy import check

from .sql_check_messages import LENGTH, Accepted, Answer, CheckRequest, Ready, Refused, frame, frame_length

MEMORY_BYTES_MAX = 1024 * 1024 * 1024
ALARM_S = 10  # far above any time limit of the parent: it matters only when the parent is gone


def answer(request: CheckRequest) -> Answer:
    """Check one statement."""
    try:
        return Accepted(check(request.sql_text, allowed_functions=frozenset(request.allowed_functions)))
    except SqlRefused as refused:
        return Refused(refused.problems)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests one by one until `requests` ends."""
    decode = msgspec.msgpack.Decoder(CheckRequest).decode
    answers.write(frame(Ready()))
    answers.flush()
    while len(header := requests.read(LENGTH.size)) == LENGTH.size:
        body = requests.read(frame_length(header))
        signal.alarm(ALARM_S)
        answered = answer(decode(body))
        signal.alarm(0)
        answers.write(frame(answered))
        answers.flush()


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    logging.disable(logging.CRITICAL)  # the parser's warnings quote statements
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    answer(CheckRequest("select 1 from dual", ()))
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
