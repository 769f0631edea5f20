"""A small client of the admin API: what the demo needs of it, with errors a developer can read."""

from __future__ import annotations

from types import TracebackType
from typing import TypeVar

import httpx
import msgspec

from qg_devstack.servers.errors import ServerFailed

_TIMEOUT_S = 30.0

AnswerT = TypeVar("AnswerT")
Fields = dict[str, object]


class _Session(msgspec.Struct, frozen=True):
    access_token: str


class Made(msgspec.Struct, frozen=True):
    """What the admin API answers to a `POST`: the parts the demo uses."""

    id: str
    api_key: str | None = None
    warnings: list[object] = []


class IssuedToken(msgspec.Struct, frozen=True):
    """The answer of `issue-token`."""

    token: str


class QueuedRun(msgspec.Struct, frozen=True):
    """The answer of `run`."""

    job_run_id: str


class Admin:
    """Signed in as the seeded admin; `revision` is the newest one that an answer named."""

    def __init__(self, url: str, username: str, password: str) -> None:
        # No proxy from the environment: the control plane is on this machine.
        self._client = httpx.Client(base_url=f"{url}/api/v1/", timeout=_TIMEOUT_S, trust_env=False)
        self.revision = 0
        session = self.post("auth/login", {"username": username, "password": password}, _Session)
        self._client.headers["Authorization"] = f"Bearer {session.access_token}"

    def __enter__(self) -> Admin:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def make(self, path: str, fields: Fields) -> Made:
        """`POST` something new under `admin/`. Raises ServerFailed with the API's own words."""
        return self.post(f"admin/{path}", fields, Made)

    def issue_token(self, auth_method_id: str, consumer: str) -> str:
        """A bearer token for a consumer."""
        return self.post(f"admin/auth/{auth_method_id}/issue-token", {"consumer": consumer}, IssuedToken).token

    def queue_run(self, schedule_id: str) -> str:
        """Let a schedule run now; the id of the run."""
        return self.post(f"admin/schedules/{schedule_id}/run", {}, QueuedRun).job_run_id

    def post(self, path: str, fields: Fields, answer_type: type[AnswerT]) -> AnswerT:
        """`POST` and read the answer. Raises ServerFailed."""
        try:
            answer = self._client.post(path, json=fields)
        except httpx.HTTPError as error:
            raise ServerFailed(f"the control plane did not answer POST {path}: {error}") from error
        if answer.status_code >= 300:
            raise ServerFailed(f"the control plane refused POST {path}: {answer.status_code} {answer.text}")
        self.revision = max(self.revision, int(answer.headers.get("X-QG-Revision", "0")))
        return msgspec.json.decode(answer.content, type=answer_type)
