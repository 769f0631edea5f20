"""Catalogs built step by step are what a build from nothing would give, whatever changes and in whatever order."""

import asyncio
import random

import msgspec
import pytest

from data_plane.catalogs.catalog import Catalog, CatalogBuilder, Difference
from data_plane.catalogs.route import Route
from data_plane.catalogs.slices import Slices
from qg_core.gateway_settings import settings_spec
from qg_core.revisions import Manifest, SubjectKey
from qg_core.specs import (
    Address,
    AuthMethodSecret,
    AuthMethodSpec,
    ConnectionSecret,
    ConnectionSpec,
    CredentialSecret,
    CredentialSpec,
    DataStrategy,
    EndpointSpec,
    MethodType,
    NumberStyle,
    Spec,
    digest_of,
    encode_spec,
)
from qg_security.authenticators import AuthParts
from qg_security.passwords import PasswordChecker
from qg_security.sealing import Sealer, new_fernet_key
from qg_security.verified_cache import VerifiedCache

SEALER = Sealer([new_fernet_key()])
FOREIGN = Sealer([new_fernet_key()])
PARTS = AuthParts(PasswordChecker(threads=1), VerifiedCache(100))
BCRYPT = "$2b$04$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"
PATHS = ("a", "b", "c", "d", "e", "f")


def endpoint(name: str, path: str, connection: str, method: str | None, rows_max: int) -> EndpointSpec:
    return EndpointSpec(
        format=1,
        id=name,
        name=name,
        path=path,
        version="v1",
        connection_id=connection,
        auth_method_id=method,
        allow_unauthenticated=method is None,
        sql_text="select 1 as one from dual",
        parameters={},
        column_map={},
        data_strategy=DataStrategy.LIVE,
        numbers=NumberStyle.NUMBER,
        rows_max=rows_max,
        bytes_max=10_000,
        timeout_ms=None,
        concurrency_max=5,
        is_deprecated=False,
        deprecation_note=None,
    )


def connection(name: str, pool_max: int, sealer: Sealer) -> ConnectionSpec:
    row = f"connection:{name}"
    return ConnectionSpec(
        format=1,
        id=name,
        name=name,
        addresses=(Address(protocol="tcp", host="db", port=1521),),
        load_balance=False,
        failover=True,
        service_name="X",
        sid=None,
        server_dn=None,
        username="u",
        sealed=sealer.seal(row, ConnectionSecret("p")),
        pool_min=1,
        pool_max=pool_max,
        pool_timeout_s=10,
        query_timeout_s=30,
    )


def method(name: str, sealer: Sealer) -> AuthMethodSpec:
    return AuthMethodSpec(
        format=1,
        id=name,
        name=name,
        method_type=MethodType.API_KEY,
        algorithm=None,
        key_prefix="qg_",
        sealed=sealer.seal(f"auth_method:{name}", AuthMethodSecret("ab" * 64)),
    )


def credential(name: str, method_id: str, sealer: Sealer) -> CredentialSpec:
    return CredentialSpec(
        format=1,
        id=name,
        auth_method_id=method_id,
        method_type=MethodType.API_KEY,
        consumer=name,
        expires_at=None,
        sealed=sealer.seal(f"credential:{name}", CredentialSecret(BCRYPT)),
    )


class World:
    """What is published, and its bytes."""

    def __init__(self) -> None:
        self.manifest = Manifest(0, {})
        self.bodies: dict[str, bytes] = {}

    def change(self, puts: list[tuple[SubjectKey, bytes]], removals: list[SubjectKey]) -> Difference:
        digests = dict(self.manifest.digests)
        for key in removals:
            digests.pop(key, None)
        for key, body in puts:
            digests[key] = digest_of(body)
            self.bodies[digest_of(body)] = body
        base = self.manifest
        self.manifest = Manifest(base.revision + 1, digests)
        return Difference(base, frozenset([key for key, _ in puts] + removals))

    def paths_in_use(self) -> set[str]:
        endpoints = [digest for key, digest in self.manifest.digests.items() if key.kind == "endpoint"]
        return {msgspec.json.decode(self.bodies[digest])["path"] for digest in endpoints}


def put(spec: Spec) -> tuple[SubjectKey, bytes]:
    return SubjectKey(spec.kind_.value, spec.id), encode_spec(spec)


def seen(catalog: Catalog) -> object:
    """Everything of a catalog that a request could notice."""

    def of(route: Route) -> object:
        authenticator = route.authenticator
        credentials = sorted(getattr(authenticator, "_credentials", ()))
        target = route.target.pool_max if route.target is not None else None
        return (route.endpoint, route.public, route.unusable, authenticator is not None, credentials, target)

    routes = {path: of(route) for path, route in catalog.routes.items()}
    unusable = sorted((item.subject, item.reason) for item in catalog.unusable)
    targets = sorted(target.connection_id for target in catalog.targets)
    return routes, unusable, targets, catalog.settings, catalog.revision


def random_change(world: World, chance: random.Random) -> Difference:
    """One to three random changes, as one delta would hold them; paths stay unique, as Postgres keeps them."""
    puts: list[tuple[SubjectKey, bytes]] = []
    removals: list[SubjectKey] = []
    touched: set[SubjectKey] = set()
    free = [path for path in PATHS if path not in world.paths_in_use()]
    chance.shuffle(free)
    for _ in range(chance.randint(1, 3)):
        sealer = FOREIGN if chance.random() < 0.15 else SEALER
        name, size = str(chance.randint(1, 3)), chance.randint(1, 50)
        kind = chance.choice(["endpoint", "endpoint", "connection", "auth_method", "credential", "settings", "remove"])
        if kind == "remove" and world.manifest.digests:
            key, body = chance.choice(sorted(world.manifest.digests)), b""
        elif kind == "endpoint" and free:
            chosen = chance.choice([None, "1", "2", "3"])
            key, body = put(endpoint(name, free.pop(), str(chance.randint(1, 3)), chosen, size))
            if chance.random() < 0.1:
                body = body.replace(b'"format":1', b'"format":9')
        elif kind == "connection":
            key, body = put(connection(name, size, sealer))
        elif kind == "settings":
            key, body = put(settings_spec({"query_timeout_seconds": size}))
            if chance.random() < 0.2:
                body = body.replace(b'"query_timeout_seconds":', b'"query_timeout_seconds":9000')
        elif kind == "auth_method":
            key, body = put(method(name, sealer))
        else:
            key, body = put(credential(name, str(chance.randint(1, 3)), sealer))
        if key in touched:
            continue
        touched.add(key)
        if body:
            puts.append((key, body))
        else:
            removals.append(key)
    return world.change(puts, removals)


@pytest.mark.parametrize("seed", range(40))
async def test_step_by_step_is_as_from_nothing(seed: int) -> None:
    chance = random.Random(seed)
    world = World()
    builder = CatalogBuilder(SEALER, PARTS)
    for _ in range(25):
        difference = random_change(world, chance)
        # Sometimes the caller can't tell what differs, as after a checkpoint.
        told = difference if chance.random() < 0.8 else None
        fresh = {digest: body for digest, body in world.bodies.items() if not builder.knows(digest)}
        built = await builder.build(world.manifest, fresh, 0.0, told)
        anew = await CatalogBuilder(SEALER, PARTS).build(world.manifest, world.bodies, 0.0)
        assert seen(built) == seen(anew)


async def test_what_is_not_touched_is_the_same_object() -> None:
    world = World()
    world.change([put(connection("1", 5, SEALER)), put(method("1", SEALER)), put(credential("1", "1", SEALER))], [])
    world.change([put(endpoint("1", "a", "1", "1", 5)), put(endpoint("2", "b", "1", None, 5))], [])
    builder = CatalogBuilder(SEALER, PARTS)
    first = await builder.build(world.manifest, world.bodies, 0.0)
    difference = world.change([put(endpoint("2", "b", "1", None, 6))], [])
    second = await builder.build(world.manifest, world.bodies, 0.0, difference)
    one, two = b"/api/v1/data/a", b"/api/v1/data/b"
    assert second.routes[one] is first.routes[one]
    assert second.routes[two] is not first.routes[two]
    difference = world.change([put(credential("2", "1", SEALER))], [])
    third = await builder.build(world.manifest, world.bodies, 0.0, difference)
    assert third.routes[one].authenticator is not second.routes[one].authenticator
    assert third.routes[one].statement is second.routes[one].statement, "it counts running calls"
    assert third.routes[two] is second.routes[two]


async def test_stored_settings_come_and_go_with_the_catalog() -> None:
    world, builder = World(), CatalogBuilder(SEALER, PARTS)
    spec = settings_spec({"cors_origins": ["https://a.example"]})
    difference = world.change([put(spec)], [])
    assert (await builder.build(world.manifest, world.bodies, 0.0, difference)).settings == spec
    difference = world.change([put(endpoint("1", "a", "1", None, 5))], [])
    assert (await builder.build(world.manifest, world.bodies, 0.0, difference)).settings == spec
    for wrong in (msgspec.structs.replace(spec, cors_origins=("*",)), msgspec.structs.replace(spec, format=9)):
        difference = world.change([put(wrong)], [])
        built = await builder.build(world.manifest, world.bodies, 0.0, difference)
        assert built.settings is None
        assert [item.subject.kind for item in built.unusable] == ["settings"]
    difference = world.change([], [put(spec)[0]])
    built = await builder.build(world.manifest, world.bodies, 0.0, difference)
    assert (built.settings, built.unusable) == (None, ())


async def test_a_build_that_is_given_up_changes_nothing() -> None:
    world = World()
    world.change([put(connection("1", 5, SEALER)), put(endpoint("1", "a", "1", None, 5))], [])
    builder = CatalogBuilder(SEALER, PARTS)
    before = await builder.build(world.manifest, world.bodies, 0.0)
    many = [put(endpoint(f"x{number}", f"x{number}", "1", None, 5)) for number in range(3_000)]
    difference = world.change([*many, put(connection("1", 9, SEALER))], [])
    building = asyncio.create_task(builder.build(world.manifest, world.bodies, 0.0, difference))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not building.done(), "it rests between slices"
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    assert before.routes.keys() == {b"/api/v1/data/a"}
    again = await builder.build(world.manifest, world.bodies, 0.0, difference)
    assert len(again.routes) == 3_001
    assert {route.target.pool_max for route in again.routes.values() if route.target} == {9}


async def test_a_spec_that_never_came_is_missing_until_it_does() -> None:
    world = World()
    key, body = put(endpoint("1", "a", "1", None, 5))
    world.change([(key, body)], [])
    builder = CatalogBuilder(SEALER, PARTS)
    without = await builder.build(world.manifest, {}, 0.0)
    assert [item.reason for item in without.unusable] == ["missing_spec"]
    assert not builder.knows(digest_of(body))
    with_it = await builder.build(world.manifest, world.bodies, 0.0)
    assert with_it.unusable == ()
    assert len(with_it.routes) == 1


async def test_others_run_between_slices() -> None:
    slices = Slices(slice_s=0.0)
    ran: list[int] = []
    loop = asyncio.get_running_loop()
    for number in range(3):
        loop.call_soon(ran.append, number)
        assert slices.due
        await slices.rest()
        assert ran == list(range(number + 1))
    assert slices.rests == 3
