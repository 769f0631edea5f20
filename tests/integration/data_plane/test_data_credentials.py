"""Credentials on data requests: refused with 401 whatever is wrong, never shutting out anybody else."""

import base64
import json
import threading
import time

import jwt
import pytest

from tests.integration.data_plane.conftest import Credentials
from tests.integration.data_plane.node_process import NodeProcess


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_each_kind_opens_its_endpoint(node: NodeProcess, credentials: type[Credentials]) -> None:
    assert node.get("with/key?n=1", X_Api_Key=credentials.key).status_code == 200
    assert node.get("with/token?n=1", Authorization=f"Bearer {credentials.token}").status_code == 200
    password = basic(credentials.user, credentials.password)
    assert node.get("with/password?n=1", Authorization=password).status_code == 200


def test_no_kind_opens_another_endpoint(node: NodeProcess, credentials: type[Credentials]) -> None:
    assert node.get("with/token?n=1", X_Api_Key=credentials.key).status_code == 401
    assert node.get("with/key?n=1", Authorization=f"Bearer {credentials.token}").status_code == 401
    assert node.get("closed?n=1", Authorization=f"Bearer {credentials.token}").status_code == 401


@pytest.mark.parametrize(
    ("path", "detail", "challenge"),
    [
        ("with/key", "API key required (X-Api-Key header).", "ApiKey"),
        ("with/token", "Bearer token required.", "Bearer"),
        ("with/password", "Basic credentials required.", 'Basic realm="querygateway", charset="UTF-8"'),
    ],
)
def test_without_a_credential(node: NodeProcess, path: str, detail: str, challenge: str) -> None:
    answer = node.get(path + "?n=1")
    assert answer.status_code == 401
    assert answer.json()["detail"] == detail
    assert answer.headers["www-authenticate"] == challenge


def test_a_key_in_the_query_string_is_no_credential(node: NodeProcess, credentials: type[Credentials]) -> None:
    assert node.get(f"with/key?n=1&api_key={credentials.key}").status_code == 401


def forged(token: str) -> list[str]:
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    return [
        f"{none}.{payload}.",
        f"{header}.{payload}.{signature[:-2]}AA",
        f"{header}.{payload}",
        "a.b.c",
        "....",
        jwt.encode(claims, "x" * 64, algorithm="HS256"),
        jwt.encode({**claims, "aud": "other"}, "x" * 64, algorithm="HS512"),
        token + "x" * 5_000,
    ]


def test_forged_tokens(node: NodeProcess, credentials: type[Credentials]) -> None:
    for token in forged(credentials.token):
        answer = node.get("with/token?n=1", Authorization=f"Bearer {token}", X_Forwarded_For="198.51.100.1")
        assert answer.status_code == 401, token
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_flood_of_forged_keys_turns_into_429_and_shuts_nobody_out(
    node: NodeProcess, credentials: type[Credentials]
) -> None:
    flood = [
        node.get("with/key?n=1", X_Api_Key=credentials.key[:-1] + "x", X_Forwarded_For="198.51.100.2")
        for _ in range(30)
    ]
    assert [answer.status_code for answer in flood] == [401] * 20 + [429] * 10
    assert int(flood[-1].headers["retry-after"]) > 0
    # A good key from the flooding address, remembered or not, and from the same address a good token:
    assert node.get("with/key?n=1", X_Api_Key=credentials.key, X_Forwarded_For="198.51.100.2").status_code == 200
    bearer = f"Bearer {credentials.token}"
    assert node.get("with/token?n=1", Authorization=bearer, X_Forwarded_For="198.51.100.2").status_code == 200


def test_wrong_passwords_are_limited_per_user_and_address(node: NodeProcess, credentials: type[Credentials]) -> None:
    right = basic(credentials.user, credentials.password)
    assert node.get("with/password?n=1", Authorization=right, X_Forwarded_For="198.51.100.3").status_code == 200
    wrong = [
        node.get("with/password?n=1", Authorization=basic(credentials.user, "wrong"), X_Forwarded_For="198.51.100.3")
        for _ in range(5)
    ]
    assert [answer.status_code for answer in wrong] == [401] * 3 + [429] * 2
    # Verified before: served, also from the limited address. Elsewhere nothing is limited.
    assert node.get("with/password?n=1", Authorization=right, X_Forwarded_For="198.51.100.3").status_code == 200
    elsewhere = node.get(
        "with/password?n=1", Authorization=basic(credentials.user, "wrong"), X_Forwarded_For="198.51.100.4"
    )
    assert elsewhere.status_code == 401


def test_unknown_users_cost_what_wrong_passwords_cost(node: NodeProcess, credentials: type[Credentials]) -> None:
    def cpu_s(user: str, address: str) -> float:
        """What the node works for it: what it lasts depends on whoever else has the machine."""
        before = node.cpu_seconds()
        answer = node.get("with/password?n=1", Authorization=basic(user, "wrong"), X_Forwarded_For=address)
        assert answer.status_code == 401
        return node.cpu_seconds() - before

    known = min(cpu_s(credentials.user, f"198.51.100.{10 + number}") for number in range(3))
    unknown = min(cpu_s(f"nobody{number}", f"198.51.100.{20 + number}") for number in range(3))
    assert known == pytest.approx(unknown, rel=0.5)


def test_others_are_served_while_wrong_keys_pour_in(node: NodeProcess, credentials: type[Credentials]) -> None:
    def median_ms(count: int) -> float:
        spent = []
        for _ in range(count):
            started = time.perf_counter()
            assert node.get("with/key?n=1", X_Api_Key=credentials.key).status_code == 200
            spent.append(time.perf_counter() - started)
        return sorted(spent)[count // 2] * 1000

    quiet_ms = median_ms(100)
    stop = threading.Event()
    sent = [0]

    def pour() -> None:
        while not stop.is_set():
            node.raw(
                b"GET /api/v1/data/with/key?n=1 HTTP/1.1\r\nHost: x\r\nX-Api-Key: qg_wrong\r\nConnection: close\r\n\r\n"
            )
            sent[0] += 1
            stop.wait(0.004)

    pouring = threading.Thread(target=pour)
    pouring.start()
    try:
        flooded_ms = median_ms(100)
    finally:
        stop.set()
        pouring.join()
    assert sent[0] > 20
    assert flooded_ms < 4 * quiet_ms + 10  # twice, and what this test's own thread takes from a busy machine
