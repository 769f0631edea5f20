"""One revision compiled in this node's memory, built off the hot path: only what changed, in slices."""

from collections.abc import Collection, Mapping

import msgspec

from data_plane.catalogs.compiled import (
    MISSING,
    Compiled,
    CompiledConnection,
    CompiledEndpoint,
    CompiledMethod,
    CompiledSettings,
    Unusable,
    compile_spec,
)
from data_plane.catalogs.route import Route
from data_plane.catalogs.slices import Slices, collector_quiet
from data_plane.catalogs.subjects import EMPTY_STATE, Draft, Method, State, UnusableSubject, endpoint_of
from qg_core.producers import producer_of
from qg_core.revisions import Manifest, SubjectKey
from qg_core.specs import SETTINGS_ID, DataStrategy, SettingsSpec, SpecKind
from qg_oracle.targets import ConnectionTarget
from qg_security.authenticators import AuthParts, compile_authenticator
from qg_security.sealing import Sealer


class Difference(msgspec.Struct, frozen=True):
    """Which subjects may differ from `base`; all others are the same."""

    base: Manifest
    subjects: frozenset[SubjectKey]


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """Immutable; a request takes `Refresher.current` once. `routes` is by raw path; `built_at` is Unix seconds.

    `snapshots` are the routes that serve them, by id of the endpoint.
    `settings` are the stored ones, null while none is stored or this node can't use them.
    """

    revision: int
    revision_header: tuple[bytes, bytes]
    manifest: Manifest
    routes: dict[bytes, Route]
    snapshots: dict[str, Route]
    targets: tuple[ConnectionTarget, ...]
    unusable: tuple[UnusableSubject, ...]
    settings: SettingsSpec | None = None
    built_at: float


class CatalogBuilder:
    """Builds catalogs one after the other; what did not change is the very same object in the next. One at a time."""

    def __init__(self, sealer: Sealer, auth_parts: AuthParts) -> None:
        self._sealer = sealer
        self._auth_parts = auth_parts
        self._state = EMPTY_STATE
        self.slice_longest_s = 0.0
        """The most CPU that the newest build took without a rest, in seconds."""

    def knows(self, digest: str) -> bool:
        """Whether the spec of this digest is compiled already, so that its bytes need not be fetched."""
        return digest in self._state.digests

    async def build(
        self,
        manifest: Manifest,
        bodies: Mapping[str, bytes],
        now: float,
        difference: Difference | None = None,
    ) -> Catalog:
        """The catalog of a verified manifest.

        `bodies` holds the verified bytes of the specs that are not known yet; one that is neither known nor there
        becomes an unusable subject. With a `difference` from the build before the cost follows the change, else the
        whole is compared. Takes the event loop for some milliseconds at a time.
        """
        slices = Slices()
        before = self._state
        if difference is not None and difference.base is before.manifest:
            changed: Collection[SubjectKey] = difference.subjects
        else:
            changed = await _differing(before.manifest, manifest, slices)
        with collector_quiet(len(changed)):
            draft = await self._draft(before, manifest, bodies, changed, slices)
        catalog = Catalog(
            revision=manifest.revision,
            revision_header=(b"x-qg-revision", b"%d" % manifest.revision),
            manifest=manifest,
            routes=draft.routes,
            snapshots=draft.snapshots,
            targets=tuple(draft.targets.values()),
            unusable=tuple(draft.unusable.values()),
            settings=_settings(draft),
            built_at=now,
        )
        # Only now: a build that was given up halfway must not have changed what the next one starts from.
        self._state = draft.finish(manifest)
        self.slice_longest_s = slices.longest_s
        return catalog

    async def _draft(
        self,
        before: State,
        manifest: Manifest,
        bodies: Mapping[str, bytes],
        changed: Collection[SubjectKey],
        slices: Slices,
    ) -> Draft:
        """The state before with everything compiled that changed, or that was missing so far."""
        missing = [key for key, item in before.unusable.items() if item.reason == MISSING]
        draft = Draft(before)
        for key in {*changed, *missing}:
            digest = manifest.digests.get(key)
            if digest is None:
                draft.remove(key)
            else:
                draft.put(key, digest, self._compile(key, digest, bodies.get(digest)))
            if slices.due:
                await slices.rest()
        await self._compile_methods(draft, slices)
        await _build_routes(draft, slices)
        await slices.rest()
        return draft

    def _compile(self, key: SubjectKey, digest: str, body: bytes | None) -> Compiled:
        if body is not None:
            return compile_spec(key, body, self._sealer)
        if self._state.manifest.digests.get(key) == digest and self.knows(digest):
            return self._state.compiled[key]
        return Unusable(MISSING, "its bytes are not here")

    async def _compile_methods(self, draft: Draft, slices: Slices) -> None:
        for method_id in draft.touched_methods:
            key = SubjectKey(SpecKind.AUTH_METHOD.value, method_id)
            found = draft.compiled.get(key)
            if found is None:
                draft.methods.pop(method_id, None)
            else:
                draft.methods[method_id] = self._method(key, found, draft)
            draft.touched_endpoints.update(draft.users_of_method(method_id))
            if slices.due:
                await slices.rest()

    def _method(self, key: SubjectKey, found: Compiled, draft: Draft) -> Method:
        if not isinstance(found, CompiledMethod):
            return Method(None, "auth_method_unusable")
        draft.unusable.pop(key, None)
        credentials = draft.credentials_of(key.id)
        try:
            return Method(
                compile_authenticator(found.spec, found.digest, found.secret, credentials, self._auth_parts), None
            )
        except Exception as error:  # noqa: BLE001 - one bad method must never hold up a revocation
            # Only the kind of error: a message might hold a part of a secret.
            draft.unusable[key] = UnusableSubject(key, "auth_method_refused", type(error).__name__)
            return Method(None, "auth_method_refused")


async def _differing(before: Manifest, after: Manifest, slices: Slices) -> set[SubjectKey]:
    changed: set[SubjectKey] = set()
    for key, digest in after.digests.items():
        if before.digests.get(key) != digest:
            changed.add(key)
        if slices.due:
            await slices.rest()
    for key in before.digests:
        if key not in after.digests:
            changed.add(key)
        if slices.due:
            await slices.rest()
    return changed


def _settings(draft: Draft) -> SettingsSpec | None:
    found = draft.compiled.get(SubjectKey(SpecKind.SETTINGS.value, SETTINGS_ID))
    return found.spec if isinstance(found, CompiledSettings) else None


async def _build_routes(draft: Draft, slices: Slices) -> None:
    """Make the routes of all touched endpoints anew. Gone first: one may have left its path to another."""
    for endpoint_id in draft.touched_endpoints:
        draft.snapshots.pop(endpoint_id, None)
        path = draft.paths.pop(endpoint_id, None)
        if path is not None:
            del draft.routes[path]
    for endpoint_id in sorted(draft.touched_endpoints):
        found = draft.compiled.get(SubjectKey(SpecKind.ENDPOINT.value, endpoint_id))
        endpoint = endpoint_of(found)
        there = draft.routes.get(endpoint.path) if endpoint is not None else None
        # An unusable endpoint may hold on to a path that is another one's by now.
        if endpoint is not None and (there is None or there.unusable is not None):
            if there is not None:
                draft.paths.pop(there.endpoint.id, None)
                draft.snapshots.pop(there.endpoint.id, None)
            reason = found.reason if isinstance(found, Unusable) else None
            draft.routes[endpoint.path] = route = _route(draft, endpoint, reason)
            if endpoint.spec.data_strategy is DataStrategy.SNAPSHOT:
                draft.snapshots[endpoint_id] = route
            draft.paths[endpoint_id] = endpoint.path
        if slices.due:
            await slices.rest()


def _route(draft: Draft, endpoint: CompiledEndpoint, reason: str | None) -> Route:
    spec = endpoint.spec
    method = draft.methods.get(spec.auth_method_id) if spec.auth_method_id is not None else None
    connection = draft.compiled.get(SubjectKey(SpecKind.CONNECTION.value, spec.connection_id))
    if reason is None and method is not None:
        reason = method.unusable
    if reason is None and isinstance(connection, Unusable):
        reason = "connection_unusable"
    target = connection.target if isinstance(connection, CompiledConnection) else None
    producer: str | None = None
    if spec.data_strategy is DataStrategy.SNAPSHOT and isinstance(connection, CompiledConnection):
        producer = producer_of(spec, connection.spec)
    timeout_ms = spec.timeout_ms
    if timeout_ms is None:
        timeout_ms = target.query_timeout_s * 1_000 if target is not None else 1_000
    return Route(
        endpoint=spec,
        path=endpoint.path,
        binder=endpoint.binder,
        statement=endpoint.statement,
        shape=endpoint.shape,
        authenticator=method.authenticator if method is not None else None,
        target=target,
        timeout_ms=timeout_ms,
        unusable=reason,
        producer=producer,
    )
