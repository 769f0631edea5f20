"""What is not a valid credential is a 401, whatever it looks like; what was revoked is one too."""

import base64
import time
from dataclasses import dataclass

import jwt
import pytest

from tests.e2e.conftest import Standing
from tests.e2e.fleet import get, send_raw
from tests.support.waiting import wait_until

_SECRET = "x" * 64


@dataclass(frozen=True)
class Methods:
    """A path per auth method, with a credential that is good there."""

    key: str
    token: str
    token_method: str
    revision: str


@pytest.fixture(scope="module")
def methods(standing: Standing) -> Methods:
    admin = standing.admin
    keyed = admin.make("auth/with-key", name="keys")
    bearer = admin.make("auth", name="tokens", method_type="bearer")
    other = admin.make("auth", name="other tokens", method_type="bearer")
    basic = admin.make("auth", name="passwords", method_type="basic", username="ann", password="correct horse")
    for path, method in (("keyed", keyed), ("tokens", bearer), ("passwords", basic), ("other", other)):
        admin.endpoint(path, standing.connection, auth_method_id=method["id"])
    token = admin.make(f"auth/{bearer['id']}/issue-token", consumer="ann")["token"]
    return Methods(keyed["api_key"], token, bearer["id"], str(admin.revision))


def _basic(user_and_password: bytes) -> str:
    return "Basic " + base64.b64encode(user_and_password).decode()


def test_good_ones_are_served(standing: Standing, methods: Methods) -> None:
    wait = {"X-QG-Min-Revision": methods.revision}
    assert get(standing.node, "keyed?item_id=7", **{"X-Api-Key": methods.key}, **wait).status_code == 200
    assert get(standing.node, "tokens?item_id=7", Authorization=f"Bearer {methods.token}", **wait).status_code == 200
    assert (
        get(standing.node, "passwords?item_id=7", Authorization=_basic(b"ann:correct horse"), **wait).status_code == 200
    )


@pytest.mark.parametrize(
    ("path", "challenge", "detail"),
    [
        ("keyed", "ApiKey", "API key required (X-Api-Key header)."),
        ("tokens", "Bearer", "Bearer token required."),
        ("passwords", 'Basic realm="querygateway", charset="UTF-8"', "Basic credentials required."),
    ],
)
def test_none_is_asked_for(standing: Standing, methods: Methods, path: str, challenge: str, detail: str) -> None:
    answer = get(standing.node, f"{path}?item_id=7")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, challenge)
    assert answer.json()["detail"] == detail
    assert "data" not in answer.json()


def _forged_tokens(methods: Methods) -> dict[str, str]:
    claims = jwt.decode(methods.token, options={"verify_signature": False})
    head, body, signature = methods.token.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    rsa = base64.urlsafe_b64encode(b'{"alg":"RS256","typ":"JWT"}').rstrip(b"=").decode()
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    return {
        "none": f"{none}.{body}.",
        "none with a signature": f"{none}.{body}.{signature}",
        "RS256 over our signature": f"{rsa}.{body}.{signature}",
        "altered": f"{head}.{body}.{flipped}",
        "another secret": jwt.encode(claims, _SECRET, algorithm="HS256"),
        "another algorithm": jwt.encode(claims, _SECRET, algorithm="HS512"),
        "two parts": f"{head}.{body}",
        "no token": "",
        "spaces": " ",
        "dots": "...",
        "long": "a" * 8_000,
        "not base64": "é.é.é",
    }


def test_forged_tokens(standing: Standing, methods: Methods) -> None:
    for name, token in _forged_tokens(methods).items():
        status, body = send_raw(
            standing.node, b"/api/v1/data/tokens?item_id=7", f"Authorization: Bearer {token}".encode()
        )
        assert status == 401, (name, status, body)
    elsewhere = get(standing.node, "other?item_id=7", Authorization=f"Bearer {methods.token}")
    assert elsewhere.status_code == 401, "a token of another method"


def test_malformed_keys_and_passwords(standing: Standing, methods: Methods) -> None:
    key = methods.key
    keys = ["", " ", "qg_", key[:-1], key + "a", key.upper(), "x" + key, key[:-1] + ("0" if key[-1] != "0" else "1")]
    keys += [key.replace("_", "-"), "qg_" + "0" * 32 + "_" + "0" * 48 + "_" + "0" * 16, "a" * 8_000]
    for presented in keys:
        status, body = send_raw(standing.node, b"/api/v1/data/keyed?item_id=7", f"X-Api-Key: {presented}".encode())
        assert status == 401, (presented[:80], status, body)
    assert get(standing.node, f"keyed?item_id=7&x-api-key={key}").status_code == 401, "never in the query string"
    assert get(standing.node, "tokens?item_id=7", **{"X-Api-Key": key}).status_code == 401, "the wrong kind"
    for presented in (
        _basic(b"ann:wrong"),
        _basic(b"ann"),
        _basic(b":"),
        _basic(b"nobody:correct horse"),
        _basic(b"ann:" + b"x" * 200),
        _basic(b"ann:\xff\xfe"),
        _basic(b"ann\x00:correct horse"),
        "Basic ***",
        "Basic",
        "Bearer " + methods.token,
    ):
        status, body = send_raw(
            standing.node, b"/api/v1/data/passwords?item_id=7", f"Authorization: {presented}".encode()
        )
        assert status == 401, (presented[:80], status, body)


def test_revoked_and_expired_ones(standing: Standing, methods: Methods) -> None:
    admin, node = standing.admin, standing.node
    keyed = admin.make("auth/with-key", name="short lived")
    admin.endpoint("short", standing.connection, auth_method_id=keyed["id"])
    path = f"auth/{keyed['id']}/credentials"
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 8))
    expiring = admin.make(path, consumer="soon", expires_at=soon)
    revoked = admin.make(path, consumer="gone")
    wait = {"X-QG-Min-Revision": str(admin.revision)}
    secrets = {name: _secret_of(made) for name, made in (("expiring", expiring), ("revoked", revoked))}
    for secret in secrets.values():
        assert get(node, "short?item_id=7", **{"X-Api-Key": secret}, **wait).status_code == 200
    assert admin.send("DELETE", f"{path}/{revoked['id']}").status_code == 204
    wait_until(
        lambda: get(node, "short?item_id=7", **{"X-Api-Key": secrets["revoked"]}).status_code == 401,
        "the revoked one is refused",
        1.5,
    )
    wait_until(
        lambda: get(node, "short?item_id=7", **{"X-Api-Key": secrets["expiring"]}).status_code == 401,
        "the expired one is refused although it was served before",
        15,
    )
    assert get(node, "short?item_id=7", **{"X-Api-Key": keyed["api_key"]}).status_code == 200, "the others go on"


def _secret_of(made: dict[str, str]) -> str:
    return made.get("api_key") or made["secret"]
