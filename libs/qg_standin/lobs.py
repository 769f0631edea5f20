"""LOB values behind locators of one session, bounded in bytes."""

from __future__ import annotations

import itertools
from collections import OrderedDict

from qg_standin import lob_requests as ops
from qg_standin.columns import Kind
from qg_standin.failures import OracleError
from qg_standin.lob_requests import LOCATOR_BYTES, LobCall
from qg_standin.wire import bytes1, ub

CHUNK_BYTES = 8060
HELD_BYTES_MAX = 64 * 1024 * 1024
Value = str | bytes


class LobStore:
    """Values by locator id; the oldest go first when the bound is passed."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._values: OrderedDict[int, Value] = OrderedDict()
        self._held_bytes = 0

    def cell(self, kind: Kind, value: Value) -> bytes:
        """A LOB column's cell: locator length, size, chunk size and locator."""
        locator = self._new(value, is_blob=kind is Kind.BLOB, is_temporary=False)
        return ub(len(locator)) + ub(len(value)) + ub(CHUNK_BYTES) + bytes1(locator)

    def value(self, locator: bytes | None) -> Value | None:
        if locator is None:
            return None
        key = int.from_bytes(locator[16:24], "big")
        if key not in self._values:
            raise OracleError(22922, "nonexistent LOB value")
        return self._values[key]

    def free(self, locator: bytes) -> None:
        value = self._values.pop(int.from_bytes(locator[16:24], "big"), None)
        if value is not None:
            self._held_bytes -= len(value)

    def clear(self) -> None:
        self._values.clear()
        self._held_bytes = 0

    def answer(self, call: LobCall) -> bytes:
        """The reply to a LOB operation, without its ending."""
        if call.operation == ops.CREATE_TEMPORARY:
            is_blob = call.destination_offset == Kind.BLOB.value
            locator = self._new(b"" if is_blob else "", is_blob=is_blob, is_temporary=True)
            # 2.5.x clients send an amount with this operation and read one back.
            return b"\x08" + locator + ub(873) + b"\x00" + (b"\x01\x0a" if call.amount is not None else b"")
        value = self.value(call.locator)
        assert value is not None  # noqa: S101  (a locator is never NULL here)
        amount = call.amount
        head = b""
        if call.operation == ops.READ:
            start = max(call.offset - 1, 0)
            part = value[start : start + (amount or 0)]
            head = b"\x0e" + bytes1(part.encode() if isinstance(part, str) else part)
            amount = len(part)
        elif call.operation == ops.WRITE:
            self._write(call, value)
        elif call.operation == ops.TRIM:
            self._replace(call.locator, value[: amount or 0])
        elif call.operation == ops.LENGTH:
            amount = len(value)
        elif call.operation == ops.CHUNK_SIZE:
            amount = CHUNK_BYTES
        tail = ub(amount or 0) if call.amount is not None else b""
        opened = b"\x00" if call.operation == ops.IS_OPEN else b""
        return head + b"\x08" + call.locator + tail + opened

    def _new(self, value: Value, *, is_blob: bool, is_temporary: bool) -> bytes:
        key = next(self._ids)
        self._values[key] = value
        self._held_bytes += len(value)
        while self._held_bytes > HELD_BYTES_MAX and len(self._values) > 1:
            _, dropped = self._values.popitem(last=False)
            self._held_bytes -= len(dropped)
        locator = bytearray(LOCATOR_BYTES)
        locator[1] = LOCATOR_BYTES - 2
        locator[4] = 1 if is_blob else 0
        locator[5] = 8
        locator[7] = 1 if is_temporary else 0
        locator[16:24] = key.to_bytes(8, "big")
        return bytes(locator)

    def _write(self, call: LobCall, value: Value) -> None:
        written = call.written or b""
        start = max(call.offset - 1, 0)
        if isinstance(value, str):
            text = written.decode(errors="replace")
            self._replace(call.locator, value[:start].ljust(start) + text + value[start + len(text) :])
        else:
            self._replace(call.locator, value[:start] + written + value[start + len(written) :])

    def _replace(self, locator: bytes, value: Value) -> None:
        key = int.from_bytes(locator[16:24], "big")
        self._held_bytes += len(value) - len(self._values[key])
        self._values[key] = value
