"""Somebody writes to Redis: it is refused or healed, what was served is served on, and the report says why."""

import time

import msgspec
import pytest

from data_plane.catalogs.catalog import Catalog
from qg_bundle import keys
from qg_bundle.envelope import Envelope, seal_beacon, seal_checkpoint, seal_delta
from qg_bundle.node_reports import put_report
from qg_core.nodes import NodeState
from qg_core.revisions import Beacon, Change, Checkpoint, Delta, Entry, SubjectKey
from qg_core.specs import CredentialSpec, SpecKind, decode_spec, digest_of, encode_spec
from qg_security.signing import Ed25519Signer, generate_signing_key
from qg_store.models import Credential, Endpoint
from qg_store.repositories import publishing as ledger
from tests.integration.publishing.rig import GATEWAY, Rig, endpoint
from tests.integration.refresh.conftest import Gateway, StartNode
from tests.integration.refresh.nodes import Node

HUGE_BYTES = 100_000_000
ORDERS = b"/api/v1/data/orders"


def flipped(body: bytes, at: int = -3) -> bytes:
    altered = bytearray(body)
    altered[at] ^= 1
    return bytes(altered)


async def edited(gateway: Gateway, rows_max: int = 77) -> tuple[int, str]:
    """A new, activated revision of the public endpoint; its number and the digest of its spec."""
    revision = await gateway.rig.edit(Endpoint, gateway.public.id, rows_max=rows_max)
    await gateway.rig.parts.activation.run()
    async with gateway.rig.session() as session:
        digest = (await ledger.manifest(session))[msgspec.convert(["endpoint", gateway.public.id], type=SubjectKey)]
    return revision, digest


async def heal(rig: Rig, node: Node) -> None:
    """What the control plane does within a second of the node's report."""
    await put_report(rig.redis, node.reporting.report())
    if await rig.parts.upkeep.look():
        await rig.parts.activation.run()


async def refused(node: Node, reason: str, *, served: int = 1) -> Catalog:
    """The node looks, keeps what it serves and says why."""
    before = node.refresher.current
    await node.refresher.look()
    assert before is not None
    assert node.refresher.current is before
    assert before.revision == served
    assert (node.reporting.report().last_error or "").startswith(reason)
    assert node.saw("catalog_rejected", reason=reason)
    return before


async def healed(gateway: Gateway, node: Node, revision: int) -> None:
    await heal(gateway.rig, node)
    await node.refresher.look()
    assert node.revision == revision
    report = node.reporting.report()
    assert report.last_error is None
    assert report.wanted == ()
    assert report.state is NodeState.SERVING


@pytest.mark.parametrize("at", [0, 40, -3])
async def test_one_byte_of_a_spec(gateway: Gateway, start_node: StartNode, at: int) -> None:
    node = await start_node(gateway.rig.keys)
    revision, digest = await edited(gateway)
    redis = gateway.rig.redis
    await redis.set(keys.spec(digest), flipped(await redis.get(keys.spec(digest)), at))
    await refused(node, "digest_mismatch")
    assert node.reporting.report().wanted == (f"spec:{digest}",)
    await healed(gateway, node, revision)
    assert gateway.rig.saw("bundle_repaired", reason="wanted_by_node")


async def test_a_deleted_spec(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys)
    revision, digest = await edited(gateway)
    await gateway.rig.redis.delete(keys.spec(digest))
    await refused(node, "missing")
    await healed(gateway, node, revision)


@pytest.mark.parametrize("at", [0, 5, 60, 200, -3])
async def test_one_byte_of_a_delta(gateway: Gateway, start_node: StartNode, at: int) -> None:
    node = await start_node(gateway.rig.keys)
    revision, _ = await edited(gateway)
    redis = gateway.rig.redis
    await redis.set(keys.delta(revision), flipped(await redis.get(keys.delta(revision)), at))
    await node.refresher.look()
    report = node.reporting.report()
    assert node.revision == 1
    assert (report.last_error or "").split(":")[0] in {
        "signature_invalid",
        "malformed",
        "other_context",
        "other_gateway",
    }
    assert report.wanted == (f"delta:{revision}",)
    await healed(gateway, node, revision)


async def test_a_deleted_delta(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys)
    await edited(gateway)
    revision, _ = await edited(gateway, 78)
    await gateway.rig.redis.delete(keys.delta(revision - 1))
    await refused(node, "missing")
    await healed(gateway, node, revision)


async def test_a_broken_delta_does_not_hide_the_ones_before_it(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys)
    await edited(gateway)
    revision, _ = await edited(gateway, 78)
    await gateway.rig.redis.set(keys.delta(revision), b"junk")
    await node.refresher.look()
    assert node.revision == revision - 1
    assert (node.reporting.report().last_error or "").startswith("malformed")
    await healed(gateway, node, revision)


async def test_one_byte_of_the_checkpoint(gateway: Gateway, start_node: StartNode) -> None:
    redis = gateway.rig.redis
    await redis.set(keys.checkpoint(1), flipped(await redis.get(keys.checkpoint(1)), 100))
    node = await start_node(gateway.rig.keys)
    assert node.refresher.current is None
    report = node.reporting.report()
    assert report.state is NodeState.STARTING
    assert (report.last_error or "").startswith("signature_invalid")
    await healed(gateway, node, 1)


async def test_a_deleted_checkpoint_and_pointer(gateway: Gateway, start_node: StartNode) -> None:
    await gateway.rig.redis.delete(keys.checkpoint(1), keys.CHECKPOINT_NEWEST)
    node = await start_node(gateway.rig.keys)
    assert node.refresher.current is None
    assert (node.reporting.report().last_error or "").startswith("missing")
    await healed(gateway, node, 1)


@pytest.mark.parametrize("pointer", [b"0", b"999999", b"-1", b"1e9", b"x" * 5_000_000])
async def test_an_altered_pointer(gateway: Gateway, start_node: StartNode, pointer: bytes) -> None:
    await gateway.rig.redis.set(keys.CHECKPOINT_NEWEST, pointer)
    node = await start_node(gateway.rig.keys)
    assert node.refresher.current is None
    assert (node.reporting.report().last_error or "").startswith("missing")
    await healed(gateway, node, 1)


async def test_an_older_head(gateway: Gateway, start_node: StartNode) -> None:
    revision, _ = await edited(gateway)
    node = await start_node(gateway.rig.keys)
    assert node.revision == revision
    await gateway.rig.redis.set(keys.HEAD, 1)
    await refused(node, "older", served=revision)
    await healed(gateway, node, revision)
    assert await gateway.rig.redis.get(keys.HEAD) == b"2"
    assert gateway.rig.saw("bundle_repaired", reason="head_moved_back")


@pytest.mark.parametrize("head", [b"900719925474099", b"17"])
async def test_a_made_up_head_does_not_hide_real_ones(gateway: Gateway, start_node: StartNode, head: bytes) -> None:
    node = await start_node(gateway.rig.keys)
    await gateway.rig.redis.set(keys.HEAD, head)
    await refused(node, "missing")
    revision = await gateway.rig.edit(Endpoint, gateway.public.id, rows_max=77)
    await gateway.rig.parts.activation.run()
    assert await gateway.rig.redis.get(keys.HEAD) == head, "larger only: the activation can't move it"
    await node.refresher.look()
    assert node.revision == revision
    await healed(gateway, node, revision)
    assert await gateway.rig.redis.get(keys.HEAD) == b"2"
    assert gateway.rig.saw("head_forged")


@pytest.mark.parametrize("head", [b"", b"abc", b"-5", b"9" * 40, b"1" * 1_000_000])
async def test_a_head_that_is_no_number(gateway: Gateway, start_node: StartNode, head: bytes) -> None:
    node = await start_node(gateway.rig.keys)
    await gateway.rig.redis.set(keys.HEAD, head)
    await refused(node, "older")
    await healed(gateway, node, 1)


async def test_keys_of_another_type(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys)
    redis = gateway.rig.redis
    revision = await gateway.rig.edit(Endpoint, gateway.public.id, rows_max=77)
    await gateway.rig.parts.activation.run()
    for key in (keys.HEAD, keys.BEACON, keys.delta(revision)):
        await redis.delete(key)
        await redis.execute_command("RPUSH", key, "a", "b")  # type: ignore[no-untyped-call]  # redis-py: untyped
    await node.refresher.look()
    assert node.revision == 1
    assert node.refresher.state is NodeState.SERVING, "alive: it knows of nothing newer"
    assert (node.reporting.report().last_error or "").startswith("older")
    await redis.delete(keys.BEACON)
    await gateway.rig.parts.beacons.beat()
    await healed(gateway, node, revision)


async def test_huge_values_cost_little(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys)
    redis = gateway.rig.redis
    revision, digest = await edited(gateway)
    before = await bytes_sent(gateway.rig)
    for key in (keys.spec(digest), keys.BEACON):
        await redis.setrange(key, HUGE_BYTES - 1, b"x")
    await refused(node, "digest_mismatch")
    await redis.setrange(keys.delta(revision), HUGE_BYTES - 1, b"x")
    await node.refresher.look()
    assert (node.reporting.report().last_error or "").startswith("too_large")
    # A spec is read up to its limit, a delta up to its own; a beacon costs two kilobytes.
    assert await bytes_sent(gateway.rig) - before < 90_000_000
    await gateway.rig.parts.beacons.beat()
    # The delta first; only with it the node finds that the spec is altered too.
    await heal(gateway.rig, node)
    await refused(node, "digest_mismatch")
    await healed(gateway, node, revision)


async def bytes_sent(rig: Rig) -> int:
    """What Redis has sent to anybody so far."""
    stats = await rig.redis.info("stats")
    return int(stats["total_net_output_bytes"])


async def forged(gateway: Gateway, *, gateway_id: str = GATEWAY, signer: Ed25519Signer | None = None) -> bytes:
    """A delta that would remove everything, as somebody else signs it."""
    changes = (Change(kind="endpoint", id=gateway.orders.id, digest=None),)
    delta = Delta(gateway_id=gateway_id, revision=2, previous=1, issued_at=time.time(), changes=changes)
    return seal_delta(signer or gateway.rig.signer, delta)


async def test_another_gateways_signed_bytes(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys)
    redis = gateway.rig.redis
    theirs = await forged(gateway, gateway_id="gw-other")
    await redis.set(keys.delta(2), theirs)
    await redis.set(keys.HEAD, 2)
    await refused(node, "other_gateway")
    envelope = msgspec.msgpack.decode(theirs, type=Envelope)
    await redis.set(keys.delta(2), msgspec.msgpack.encode(msgspec.structs.replace(envelope, gateway_id=GATEWAY)))
    await refused(node, "signature_invalid")


async def test_another_key(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys)
    private, _ = generate_signing_key()
    await gateway.rig.redis.set(keys.delta(2), await forged(gateway, signer=Ed25519Signer(private)))
    await gateway.rig.redis.set(keys.HEAD, 2)
    await refused(node, "signature_invalid")


async def test_an_old_delta_under_a_new_number(gateway: Gateway, start_node: StartNode) -> None:
    redis = gateway.rig.redis
    await gateway.rig.remove(Endpoint, gateway.orders.id)
    await gateway.rig.parts.activation.run()
    node = await start_node(gateway.rig.keys)
    await redis.set(keys.delta(3), await redis.get(keys.delta(2)))
    await redis.set(keys.HEAD, 3)
    await refused(node, "other_revision", served=2)
    assert node.paths == {"public"}


async def test_an_old_checkpoint_does_not_bring_back_what_was_revoked(gateway: Gateway, start_node: StartNode) -> None:
    redis = gateway.rig.redis
    saved = {key: await redis.get(key) for key in (keys.HEAD, keys.BEACON, keys.CHECKPOINT_NEWEST, keys.checkpoint(1))}
    node = await start_node(gateway.rig.keys)
    await gateway.rig.remove(Credential, gateway.credential.id)
    await gateway.rig.parts.activation.run()
    await node.refresher.look()
    assert node.revision == 2
    await node.close()
    # The whole of Redis as it was before, for a node that has a memory.
    await redis.flushdb()
    for key, body in saved.items():
        await redis.set(key, body)
    again = await start_node(gateway.rig.keys)
    assert again.revision == 2
    assert (again.reporting.report().last_error or "").startswith("older")


async def test_a_replayed_state_ages_for_a_node_without_memory(gateway: Gateway, start_node: StartNode) -> None:
    """A fresh beacon does not make an old state young: only a beacon that names it as the head does."""
    rig = gateway.rig
    redis = rig.redis
    old = Checkpoint(gateway_id=GATEWAY, revision=1, issued_at=time.time() - 100_000, entries=())
    await redis.set(keys.checkpoint(1), seal_checkpoint(rig.signer, old))
    await redis.set(keys.HEAD, 1)
    await redis.set(keys.BEACON, seal_beacon(rig.signer, Beacon(gateway_id=GATEWAY, head=9, issued_at=time.time())))
    node = await start_node(rig.keys)
    assert node.revision == 1
    assert node.refresher.is_stale(time.time())
    assert node.refresher.state is NodeState.STALE
    await redis.set(keys.BEACON, seal_beacon(rig.signer, Beacon(gateway_id=GATEWAY, head=1, issued_at=time.time() + 1)))
    await node.refresher.look()
    assert not node.refresher.is_stale(time.time())


async def test_beacons_that_prove_nothing(gateway: Gateway, start_node: StartNode) -> None:
    rig = gateway.rig
    node = await start_node(rig.keys)
    first = node.refresher.beacon
    assert first is not None
    now = time.time()
    older = Beacon(gateway_id=GATEWAY, head=1, issued_at=first.value.issued_at - 60)
    await rig.redis.set(keys.BEACON, seal_beacon(rig.signer, older))
    await node.refresher.look()
    assert node.refresher.beacon is first
    future = Beacon(gateway_id=GATEWAY, head=1, issued_at=now + 86_400)
    await rig.redis.set(keys.BEACON, seal_beacon(rig.signer, future))
    await refused(node, "from_the_future")
    theirs = Beacon(gateway_id="gw-other", head=1, issued_at=now + 1)
    await rig.redis.set(keys.BEACON, seal_beacon(rig.signer, theirs))
    await refused(node, "other_gateway")
    assert node.refresher.beacon is first
    await rig.parts.beacons.beat()
    await node.refresher.look()
    assert node.reporting.report().last_error is None


async def signed(gateway: Gateway, changes: dict[tuple[str, str], bytes]) -> None:
    """Publish spec bytes that no compiler of this release would write, properly signed."""
    rig = gateway.rig
    listed = []
    for (kind, subject_id), body in changes.items():
        await rig.redis.set(keys.spec(digest_of(body)), body)
        listed.append(Change(kind=kind, id=subject_id, digest=digest_of(body)))
    delta = Delta(gateway_id=GATEWAY, revision=2, previous=1, issued_at=time.time(), changes=tuple(listed))
    await rig.redis.set(keys.delta(2), seal_delta(rig.signer, delta))
    await rig.redis.set(keys.HEAD, 2)


async def spec_body(gateway: Gateway, kind: SpecKind, subject_id: str) -> bytes:
    async with gateway.rig.session() as session:
        return (await ledger.published(session, [SubjectKey(kind.value, subject_id)])).popitem()[1].body


async def test_a_credential_token_of_another_row_opens_nothing_and_holds_up_nothing(
    gateway: Gateway, start_node: StartNode
) -> None:
    rig = gateway.rig
    other = rig.credential(gateway.method, "other")
    revoked = rig.credential(gateway.method, "revoked")
    await rig.add(other, revoked)
    node = await start_node(rig.keys)
    donor = decode_spec(await spec_body(gateway, SpecKind.CREDENTIAL, gateway.credential.id))
    victim = decode_spec(await spec_body(gateway, SpecKind.CREDENTIAL, other.id))
    assert isinstance(donor, CredentialSpec)
    assert isinstance(victim, CredentialSpec)
    swapped = encode_spec(msgspec.structs.replace(victim, sealed=donor.sealed))
    await signed(gateway, {("credential", other.id): swapped})
    await node.refresher.look()
    assert node.revision == 2
    catalog = node.refresher.current
    assert catalog is not None
    ((found),) = catalog.unusable
    assert (found.subject.id, found.reason) == (other.id, "secret_does_not_open")
    report = node.reporting.report()
    assert report.unusable == (f"credential:{other.id}",)
    assert report.state is NodeState.SERVING
    assert catalog.routes[ORDERS].unusable is None
    assert node.saw("specs_unusable", total=1)


async def test_an_unknown_format_closes_that_endpoint_alone(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys)
    body = await spec_body(gateway, SpecKind.ENDPOINT, gateway.public.id)
    await signed(gateway, {("endpoint", gateway.public.id): body.replace(b'"format":1', b'"format":99')})
    await node.refresher.look()
    assert node.revision == 2
    catalog = node.refresher.current
    assert catalog is not None
    assert catalog.routes[b"/api/v1/data/public"].unusable == "unreadable_spec"
    assert catalog.routes[ORDERS].unusable is None
    assert (node.reporting.report().last_error or "").startswith("specs_unusable: unreadable_spec")


async def test_a_connection_that_does_not_open_closes_its_endpoints(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys)
    body = await spec_body(gateway, SpecKind.CONNECTION, gateway.connection.id)
    sealed = msgspec.json.decode(body)["sealed"]
    await signed(gateway, {("connection", gateway.connection.id): body.replace(sealed.encode(), b"gAAAAAB")})
    await node.refresher.look()
    catalog = node.refresher.current
    assert catalog is not None
    assert catalog.revision == 2
    assert {route.unusable for route in catalog.routes.values()} == {"connection_unusable"}


async def test_a_kind_of_a_later_release_is_left_alone(gateway: Gateway, start_node: StartNode) -> None:
    node = await start_node(gateway.rig.keys)
    await signed(gateway, {("rate_plan", "gold"): b'{"kind":"rate_plan","format":1,"id":"gold"}'})
    await node.refresher.look()
    assert node.revision == 2
    assert node.paths == {"orders", "public"}


async def test_a_checkpoint_with_an_entry_that_lies_about_its_subject(gateway: Gateway, start_node: StartNode) -> None:
    rig = gateway.rig
    body = await spec_body(gateway, SpecKind.ENDPOINT, gateway.public.id)
    entries = (Entry(kind="endpoint", id=gateway.orders.id, digest=digest_of(body)),)
    checkpoint = Checkpoint(gateway_id=GATEWAY, revision=1, issued_at=time.time(), entries=entries)
    await rig.redis.set(keys.checkpoint(1), seal_checkpoint(rig.signer, checkpoint))
    node = await start_node(rig.keys)
    catalog = node.refresher.current
    assert catalog is not None
    assert [item.reason for item in catalog.unusable] == ["other_subject"]


async def test_flushed_redis_is_filled_again(gateway: Gateway, start_node: StartNode) -> None:
    rig = gateway.rig
    for number in range(70):
        await rig.add(endpoint(gateway.connection, path=f"more{number}"))
    await rig.parts.activation.run()
    node = await start_node(rig.keys)
    await rig.redis.flushdb()
    await refused(node, "older", served=71)
    await heal(rig, node)
    assert rig.saw("bundle_repaired", reason="head_lost")
    fresh = await start_node(rig.keys, name="fresh")
    assert fresh.revision == 71
    assert len(fresh.paths) == 72


async def test_a_sweep_finds_what_nobody_asked_for(gateway: Gateway, start_node: StartNode) -> None:
    revision, digest = await edited(gateway)
    rig = gateway.rig
    node = await start_node(rig.keys)
    await rig.redis.delete(keys.spec(digest), keys.delta(revision))
    await rig.parts.upkeep.sweep()
    assert rig.saw("bundle_repaired", reason="sweep")
    fresh = await start_node(rig.keys, name="fresh")
    assert fresh.revision == node.revision == revision
