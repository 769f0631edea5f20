"""A service process for the tests.

`python served_process.py <port> <ops port> <grace s> <connections> <idle ms>`
"""

import asyncio
import sys

from qg_serving import AddressInUse, Draining, ListenLimits, RunningRequests, run, serve
from qg_serving.asgi import Message, Receive, Scope, Send

READY = {"value": True}


def say(text: str) -> None:
    print(text, flush=True)


async def answer(send: Send, status: int, body: bytes) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-length", str(len(body)).encode()), (b"connection", b"keep-alive")],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def begin(send: Send, body: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def stream_megabytes(send: Send, count: int) -> None:
    await begin(send, b"")
    for number in range(count):
        await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})
        say(f"handed over {number}")
    await send({"type": "http.response.body", "body": b""})


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    path = scope["path"]
    if path == "/unfinished":
        await begin(send, b"half")
        return
    if path == "/broken":
        await begin(send, b"half")
        raise RuntimeError("in the middle")
    if path == "/megabytes":
        await stream_megabytes(send, 50)
        return
    if path.startswith("/sleep/"):
        say(f"sleeping {path}")
        await asyncio.sleep(float(path.rpartition("/")[2]))
        say(f"slept {path}")
    if path == "/boom":
        raise RuntimeError("nobody foresaw this")
    if path == "/until-gone":
        await receive()
        message: Message = await receive()
        say(f"received {message['type']}")
        return
    if path == "/block":
        await asyncio.sleep(3600)
    if path == "/headers":
        shown = "\n".join(f"{name.decode('latin-1')}={value!r}" for name, value in scope["headers"])
        await answer(send, 200, shown.encode())
        return
    await answer(send, 200, scope["raw_path"])


async def ops(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, 200 if READY["value"] else 503, b"ops")


async def main(port: int, ops_port: int, grace_s: float, connections_max: int, idle_ms: int) -> None:
    def drain(reason: str) -> None:
        READY["value"] = False
        say(f"draining {reason}")

    requests = RunningRequests()
    outcome = await serve(
        Draining(app, requests),
        requests,
        host="127.0.0.1",
        port=port,
        ops_app=ops,
        ops_host="127.0.0.1",
        ops_port=ops_port,
        shutdown_grace_s=grace_s,
        limits=ListenLimits(connections_max=connections_max, idle_timeout_ms=idle_ms),
        on_started=lambda: say("started"),
        on_drain=drain,
    )
    say(f"outcome {outcome.reason} dropped={outcome.requests_dropped} drain_ms={outcome.drain_ms}")


if __name__ == "__main__":
    numbers = [float(text) for text in sys.argv[1:]]
    try:
        run(main(int(numbers[0]), int(numbers[1]), numbers[2], int(numbers[3]), int(numbers[4])))
    except AddressInUse as error:
        say(f"refused {error}")
        sys.exit(3)
