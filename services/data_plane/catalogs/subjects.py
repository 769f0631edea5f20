"""Everything compiled of one state, by subject, with who refers to whom: what a build starts from and leaves behind.

A build works on a draft that shares all it does not touch with the state before: copying a dict of 20,000 entries costs
a fraction of a millisecond, copying every group in it would not.
"""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import msgspec

from data_plane.catalogs.compiled import MISSING, Compiled, CompiledConnection, CompiledEndpoint, Unusable
from data_plane.catalogs.route import Route
from qg_core.revisions import EMPTY_MANIFEST, Manifest, SubjectKey
from qg_core.specs import SpecKind
from qg_oracle.targets import ConnectionTarget
from qg_security.authenticators import Authenticator, CompiledCredential

GroupT = TypeVar("GroupT")


class UnusableSubject(msgspec.Struct, frozen=True):
    """A verified spec that this node can't use, and why."""

    subject: SubjectKey
    reason: str
    detail: str


class Method(msgspec.Struct, frozen=True):
    """What an auth method and its credentials became; `unusable` says why there is no authenticator."""

    authenticator: Authenticator | None
    unusable: str | None


class State(msgspec.Struct, frozen=True):
    """One finished build. Nothing in it is ever changed."""

    manifest: Manifest
    compiled: dict[SubjectKey, Compiled]
    digests: set[str]
    """Those of which a compiled form is here."""
    unusable: dict[SubjectKey, UnusableSubject]
    credentials: dict[str, dict[str, CompiledCredential]]
    """By auth method, then by id."""
    methods: dict[str, Method]
    users_of_method: dict[str, set[str]]
    users_of_connection: dict[str, set[str]]
    """Ids of endpoints."""
    targets: dict[str, ConnectionTarget]
    """By id of the connection."""
    routes: dict[bytes, Route]
    paths: dict[str, bytes]
    """By id of the endpoint."""
    snapshots: dict[str, Route]
    """Those that serve snapshots, by id of the endpoint."""


EMPTY_STATE = State(EMPTY_MANIFEST, {}, set(), {}, {}, {}, {}, {}, {}, {}, {}, {})


class _Groups(Generic[GroupT]):
    """Groups by name; a group is copied when it is first touched."""

    def __init__(self, before: dict[str, GroupT], copy: Callable[[GroupT | None], GroupT]) -> None:
        self.groups = dict(before)
        self._copy = copy
        self._own: set[str] = set()

    def touch(self, name: str) -> GroupT:
        if name not in self._own:
            self._own.add(name)
            self.groups[name] = self._copy(self.groups.get(name))
        return self.groups[name]


class Draft:
    """A state in the making."""

    def __init__(self, before: State) -> None:
        self._before = before
        self.compiled = dict(before.compiled)
        self.digests = set(before.digests)
        self.unusable = dict(before.unusable)
        self.methods = dict(before.methods)
        self.targets = dict(before.targets)
        self.routes = dict(before.routes)
        self.paths = dict(before.paths)
        self.snapshots = dict(before.snapshots)
        self._credentials = _Groups(before.credentials, lambda group: dict(group or {}))
        self._users_of_method = _Groups(before.users_of_method, lambda group: set(group or ()))
        self._users_of_connection = _Groups(before.users_of_connection, lambda group: set(group or ()))
        self.touched_methods: set[str] = set()
        self.touched_endpoints: set[str] = set()

    def put(self, key: SubjectKey, digest: str, found: Compiled) -> None:
        """Take the compiled form of a subject, instead of the one before."""
        old = self._endpoint_before(key)
        self.remove(key)
        if isinstance(found, Unusable) and found.endpoint is None and old is not None:
            # Not even its path can be told: it answers 503 where it answered before.
            found = msgspec.structs.replace(found, endpoint=old)
        self.compiled[key] = found
        if isinstance(found, Unusable):
            self.unusable[key] = UnusableSubject(key, found.reason, found.detail)
        if not (isinstance(found, Unusable) and found.reason == MISSING):
            self.digests.add(digest)
        if isinstance(found, CompiledConnection):
            self.targets[key.id] = found.target
        elif isinstance(found, CompiledCredential):
            self._credentials.touch(found.spec.auth_method_id)[key.id] = found
            self.touched_methods.add(found.spec.auth_method_id)
        if (endpoint := endpoint_of(found)) is not None:
            if endpoint.spec.auth_method_id is not None:
                self._users_of_method.touch(endpoint.spec.auth_method_id).add(key.id)
            self._users_of_connection.touch(endpoint.spec.connection_id).add(key.id)

    def remove(self, key: SubjectKey) -> None:
        """Forget a subject; whoever refers to it is touched."""
        old = self.compiled.pop(key, None)
        self.unusable.pop(key, None)
        if (digest := self._before.manifest.digests.get(key)) is not None:
            self.digests.discard(digest)
        if isinstance(old, CompiledCredential):
            self._credentials.touch(old.spec.auth_method_id).pop(key.id, None)
            self.touched_methods.add(old.spec.auth_method_id)
        if (endpoint := endpoint_of(old)) is not None:
            if endpoint.spec.auth_method_id is not None:
                self._users_of_method.touch(endpoint.spec.auth_method_id).discard(key.id)
            self._users_of_connection.touch(endpoint.spec.connection_id).discard(key.id)
        if key.kind == SpecKind.ENDPOINT:
            self.touched_endpoints.add(key.id)
        elif key.kind == SpecKind.AUTH_METHOD:
            self.touched_methods.add(key.id)
        elif key.kind == SpecKind.CONNECTION:
            self.targets.pop(key.id, None)
            self.touched_endpoints |= self._users_of_connection.groups.get(key.id, set())

    def credentials_of(self, method_id: str) -> dict[str, CompiledCredential]:
        """The usable credentials of an auth method, by id."""
        return self._credentials.groups.get(method_id, {})

    def users_of_method(self, method_id: str) -> Iterable[str]:
        """The ids of the endpoints that name an auth method."""
        return self._users_of_method.groups.get(method_id, set())

    def finish(self, manifest: Manifest) -> State:
        """The state that this draft has become."""
        return State(
            manifest=manifest,
            compiled=self.compiled,
            digests=self.digests,
            unusable=self.unusable,
            credentials=self._credentials.groups,
            methods=self.methods,
            users_of_method=self._users_of_method.groups,
            users_of_connection=self._users_of_connection.groups,
            targets=self.targets,
            routes=self.routes,
            paths=self.paths,
            snapshots=self.snapshots,
        )

    def _endpoint_before(self, key: SubjectKey) -> CompiledEndpoint | None:
        return endpoint_of(self.compiled.get(key)) if key.kind == SpecKind.ENDPOINT else None


def endpoint_of(found: Compiled | None) -> CompiledEndpoint | None:
    """The endpoint that a compiled form is of, usable or not."""
    if isinstance(found, Unusable):
        return found.endpoint
    return found if isinstance(found, CompiledEndpoint) else None
