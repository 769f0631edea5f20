"""One revision compiled in this node's memory, built off the hot path from what is kept of the one before."""

from collections.abc import Mapping

import msgspec

from data_plane.compiled import (
    MISSING,
    Compiled,
    CompiledConnection,
    CompiledEndpoint,
    CompiledMethod,
    Unusable,
    compile_spec,
)
from data_plane.route import Route
from data_plane.slices import Slices
from qg_core.revisions import Manifest, SubjectKey
from qg_core.specs import SpecKind
from qg_oracle.targets import ConnectionTarget
from qg_security.authenticators import Authenticator, AuthParts, CompiledCredential, compile_authenticator
from qg_security.keys import KeyInvalid
from qg_security.sealing import Sealer


class UnusableSubject(msgspec.Struct, frozen=True):
    """A verified spec that this node can't use, and why."""

    subject: SubjectKey
    reason: str
    detail: str


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """Immutable; a request takes `Refresher.current` once. `routes` is by raw path; `built_at` is Unix seconds."""

    revision: int
    manifest: Manifest
    routes: dict[bytes, Route]
    targets: tuple[ConnectionTarget, ...]
    unusable: tuple[UnusableSubject, ...]
    built_at: float


class _Method(msgspec.Struct, frozen=True):
    """An authenticator and what it was made of: kept while all of that is the same."""

    made_of: tuple[str, frozenset[str]]
    authenticator: Authenticator | None
    unusable: str | None


class _Built(msgspec.Struct, frozen=True):
    """A route and the very objects it was made of."""

    route: Route
    endpoint: CompiledEndpoint
    method: _Method | None
    connection: Compiled | None
    endpoint_unusable: str | None


class CatalogBuilder:
    """Builds catalogs one after the other, keeping what is compiled by spec digest. One build at a time."""

    def __init__(self, sealer: Sealer, auth_parts: AuthParts) -> None:
        self._sealer = sealer
        self._auth_parts = auth_parts
        self._compiled: dict[str, Compiled] = {}
        self._methods: dict[str, _Method] = {}
        self._built: dict[str, _Built] = {}
        self.slice_longest_s = 0.0
        """The longest that the newest build kept the event loop to itself."""

    def knows(self, digest: str) -> bool:
        """Whether the spec of this digest is compiled already, so that its bytes need not be fetched."""
        return digest in self._compiled

    async def build(self, manifest: Manifest, bodies: Mapping[str, bytes], now: float) -> Catalog:
        """The catalog of a verified manifest.

        `bodies` holds the verified bytes of the specs that are not known yet; one that is neither known nor there
        becomes an unusable subject. Takes the event loop for at most some milliseconds at a time.
        """
        slices = Slices()
        compiled: dict[str, Compiled] = {}
        subjects: dict[str, dict[str, tuple[str, Compiled]]] = {kind.value: {} for kind in SpecKind}
        unusable: list[UnusableSubject] = []
        for key, digest in manifest.digests.items():
            found = self._compiled.get(digest)
            if found is None:
                found = self._compile(key, digest, bodies.get(digest))
            if not (isinstance(found, Unusable) and found.reason == MISSING):
                compiled[digest] = found
            if isinstance(found, Unusable):
                unusable.append(UnusableSubject(key, found.reason, found.detail))
            if key.kind in subjects:
                subjects[key.kind][key.id] = (digest, found)
            if slices.due:
                await slices.rest()
        methods = await self._compile_methods(subjects, unusable, slices)
        built = await self._build_routes(subjects, methods, slices)
        routes: dict[bytes, Route] = {}
        for item in built.values():
            routes[item.route.path] = item.route
            if slices.due:
                await slices.rest()
        connections = (found for _, found in subjects[SpecKind.CONNECTION].values())
        targets = tuple(found.target for found in connections if isinstance(found, CompiledConnection))
        await slices.rest()
        self.slice_longest_s = slices.longest_s
        # Only now: a build that was given up halfway must not have changed what the next one starts from.
        self._compiled, self._methods, self._built = compiled, methods, built
        return Catalog(
            revision=manifest.revision,
            manifest=manifest,
            routes=routes,
            targets=targets,
            unusable=tuple(unusable),
            built_at=now,
        )

    def _compile(self, key: SubjectKey, digest: str, body: bytes | None) -> Compiled:
        if body is None:
            return Unusable(MISSING, "its bytes are not here")
        return compile_spec(key, digest, body, self._sealer)

    async def _compile_methods(
        self,
        subjects: dict[str, dict[str, tuple[str, Compiled]]],
        unusable: list[UnusableSubject],
        slices: Slices,
    ) -> dict[str, _Method]:
        credentials: dict[str, dict[str, CompiledCredential]] = {}
        for _, found in subjects[SpecKind.CREDENTIAL].values():
            if isinstance(found, CompiledCredential):
                credentials.setdefault(found.spec.auth_method_id, {})[found.spec.id] = found
            if slices.due:
                await slices.rest()
        methods: dict[str, _Method] = {}
        for method_id, (digest, found) in subjects[SpecKind.AUTH_METHOD].items():
            own = credentials.get(method_id, {})
            made_of = (digest, frozenset(credential.digest for credential in own.values()))
            before = self._methods.get(method_id)
            kept = before is not None and before.made_of == made_of
            method = before if before is not None and kept else self._method(found, own, made_of)
            methods[method_id] = method
            if method.unusable is not None and not isinstance(found, Unusable):
                key = SubjectKey(SpecKind.AUTH_METHOD.value, method_id)
                unusable.append(UnusableSubject(key, method.unusable, "no authenticator can be made of it"))
            if slices.due:
                await slices.rest()
        return methods

    def _method(
        self, found: Compiled, credentials: dict[str, CompiledCredential], made_of: tuple[str, frozenset[str]]
    ) -> _Method:
        if not isinstance(found, CompiledMethod):
            return _Method(made_of, None, "auth_method_unusable")
        try:
            authenticator = compile_authenticator(found.spec, found.digest, found.secret, credentials, self._auth_parts)
        except (KeyInvalid, ValueError):
            return _Method(made_of, None, "auth_method_refused")
        return _Method(made_of, authenticator, None)

    async def _build_routes(
        self,
        subjects: dict[str, dict[str, tuple[str, Compiled]]],
        methods: dict[str, _Method],
        slices: Slices,
    ) -> dict[str, _Built]:
        connections = subjects[SpecKind.CONNECTION]
        built: dict[str, _Built] = {}
        for endpoint_id, (_, found) in subjects[SpecKind.ENDPOINT].items():
            before = self._built.get(endpoint_id)
            endpoint = found.endpoint if isinstance(found, Unusable) else found
            if endpoint is None and before is not None:
                # Not even the path can be told: the endpoint answers 503 where it answered before.
                endpoint = before.endpoint
            if isinstance(endpoint, CompiledEndpoint):
                spec = endpoint.spec
                method = methods.get(spec.auth_method_id) if spec.auth_method_id is not None else None
                _, connection = connections.get(spec.connection_id, ("", None))
                reason = found.reason if isinstance(found, Unusable) else None
                built[endpoint_id] = _reused_or_built(before, endpoint, method, connection, reason)
            if slices.due:
                await slices.rest()
        return built


def _reused_or_built(
    before: _Built | None,
    endpoint: CompiledEndpoint,
    method: _Method | None,
    connection: Compiled | None,
    endpoint_unusable: str | None,
) -> _Built:
    """The same route as before if it is made of the very same things."""
    if (
        before is not None
        and before.endpoint is endpoint
        and before.method is method
        and before.connection is connection
        and before.endpoint_unusable == endpoint_unusable
    ):
        return before
    reason = endpoint_unusable
    if reason is None and method is not None:
        reason = method.unusable
    if reason is None and isinstance(connection, Unusable):
        reason = "connection_unusable"
    target = connection.target if isinstance(connection, CompiledConnection) else None
    timeout_ms = endpoint.spec.timeout_ms
    if timeout_ms is None:
        timeout_ms = target.query_timeout_s * 1_000 if target is not None else 1_000
    route = Route(
        endpoint=endpoint.spec,
        path=endpoint.path,
        binder=endpoint.binder,
        statement=endpoint.statement,
        shape=endpoint.shape,
        authenticator=method.authenticator if method is not None else None,
        target=target,
        timeout_ms=timeout_ms,
        unusable=reason,
    )
    return _Built(route, endpoint, method, connection, endpoint_unusable)
