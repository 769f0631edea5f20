"""Every auth method: good credentials pass and are remembered; everything else is a 401 with a reason."""

import asyncio
import base64
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qg_core.errors import CredentialExpired, CredentialInvalid, CredentialMissing, SignInBusy
from qg_core.header_fields import read_fields
from qg_core.specs import AuthMethodSecret, MethodType
from qg_security.api_keys import mint
from qg_security.authenticators import Authenticator, compile_authenticator, compile_credential
from qg_security.authenticators.basic import read_basic
from qg_security.keys import KeyInvalid, new_hmac_secret
from tests.unit.qg_security.auth_samples import NOW, PASSWORD, SECRET, Sample, basic_header, make_method, make_parts

ALL = list(MethodType)
OTHERS = [(b"host", b"x"), (b"accept", b"*/*")]


async def refusal(authenticator: Authenticator, presented: bytes, now: float = NOW) -> str:
    assert authenticator.recall(presented, now) is None
    with pytest.raises(CredentialInvalid) as refused:
        await authenticator.verify(presented, now)
    assert refused.value.status == 401
    assert refused.value.headers == {"WWW-Authenticate": authenticator.challenge}
    assert authenticator.recall(presented, now) is None
    return refused.value.reason


@pytest.mark.parametrize("method_type", ALL)
async def test_a_good_credential_passes_and_is_remembered(method_type: MethodType) -> None:
    sample = Sample(method_type)
    authenticator = sample.authenticator(make_parts())
    presented = authenticator.read(read_fields([*OTHERS, sample.header]))
    assert authenticator.recall(presented, NOW) is None
    principal = await authenticator.verify(presented, NOW)
    assert principal.tag == f"{method_type.value}:erp"
    assert (principal.auth_method_id, principal.credential_id) == (sample.method.id, sample.spec.id)
    assert authenticator.recall(presented, NOW) == principal


@pytest.mark.parametrize("method_type", ALL)
def test_no_credential_is_missing_with_challenge_and_detail(method_type: MethodType) -> None:
    authenticator = Sample(method_type).authenticator(make_parts())
    other_headers = {
        MethodType.BEARER: [(b"x-api-key", b"k"), (b"authorization", b"Basic YTpi")],
        MethodType.BASIC: [(b"x-api-key", b"k"), (b"authorization", b"Bearer abc")],
        MethodType.API_KEY: [(b"authorization", b"Bearer abc"), (b"x-api-keys", b"k")],
    }[method_type]
    for headers in ([], OTHERS, other_headers):
        with pytest.raises(CredentialMissing) as missing:
            authenticator.read(read_fields(headers))
        assert type(missing.value) is CredentialMissing
        assert missing.value.detail == authenticator.missing_detail
        assert missing.value.headers == {"WWW-Authenticate": authenticator.challenge}


def test_challenges_and_details_are_those_of_the_contract() -> None:
    found = {t: Sample(t).authenticator(make_parts()) for t in ALL}
    assert {t.value: (a.challenge, a.missing_detail) for t, a in found.items()} == {
        "bearer": ("Bearer", "Bearer token required."),
        "basic": ('Basic realm="querygateway", charset="UTF-8"', "Basic credentials required."),
        "api_key": ("ApiKey", "API key required (X-Api-Key header)."),
    }


@pytest.mark.parametrize("method_type", ALL)
def test_a_repeated_header_is_refused(method_type: MethodType) -> None:
    sample = Sample(method_type)
    with pytest.raises(CredentialInvalid) as refused:
        sample.authenticator(make_parts()).read(read_fields([sample.header, *OTHERS, sample.header]))
    assert refused.value.reason == "repeated_header"


@pytest.mark.parametrize("method_type", ALL)
async def test_values_joined_by_a_proxy_are_refused(method_type: MethodType) -> None:
    sample = Sample(method_type)
    authenticator = sample.authenticator(make_parts())
    name, value = sample.header
    await refusal(authenticator, authenticator.read(read_fields([(name, value + b", " + value)])))


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER   "])
async def test_the_scheme_has_any_case_and_spaces_after_it(scheme: bytes) -> None:
    sample = Sample(MethodType.BEARER)
    authenticator = sample.authenticator(make_parts())
    token = sample.token(expires_in_s=60)
    principal = await authenticator.verify(authenticator.read(read_fields([(b"authorization", scheme + token)])), NOW)
    assert principal.method_type is MethodType.BEARER


@pytest.mark.parametrize(
    "value", [b"", b"Bearer", b"Bearer ", b"Bearer   ", b"Bearer\tx", b"Bearerx", b" Bearer x", b"\xff"]
)
def test_what_is_no_bearer_header_counts_as_missing(value: bytes) -> None:
    authenticator = Sample(MethodType.BEARER).authenticator(make_parts())
    with pytest.raises(CredentialMissing, match="Bearer token required"):
        authenticator.read(read_fields([(b"authorization", value)]))


@pytest.mark.parametrize("change", [b"%s ", b"\t%s", b"%s\n", b"%s\0", b"%s=", b'"%s"', b"%s\xc3\xa4", b"%s.x"])
@pytest.mark.parametrize("method_type", ALL)
async def test_decorated_credentials_are_refused(method_type: MethodType, change: bytes) -> None:
    sample = Sample(method_type)
    authenticator = sample.authenticator(make_parts())
    presented = authenticator.read(read_fields([sample.header]))
    await authenticator.verify(presented, NOW)
    await refusal(authenticator, change % presented)


@pytest.mark.parametrize("method_type", ALL)
async def test_a_revoked_credential_is_refused_also_when_remembered(method_type: MethodType) -> None:
    sample, parts = Sample(method_type), make_parts()
    before, after = sample.authenticator(parts), sample.authenticator(parts, revoked=True)
    presented = before.read(read_fields([sample.header]))
    await before.verify(presented, NOW)
    expected = "unknown_user" if method_type is MethodType.BASIC else "revoked"
    assert await refusal(after, presented) == expected


@pytest.mark.parametrize("method_type", ALL)
async def test_memory_survives_a_new_catalog_but_not_a_new_digest(method_type: MethodType) -> None:
    sample, parts = Sample(method_type), make_parts()
    first = sample.authenticator(parts)
    presented = first.read(read_fields([sample.header]))
    await first.verify(presented, NOW)
    assert sample.authenticator(parts).recall(presented, NOW)
    assert sample.authenticator(parts, method_digest="m2").recall(presented, NOW) is None
    await first.verify(presented, NOW)
    assert sample.authenticator(parts, credential_digest="c2").recall(presented, NOW) is None
    assert len(parts.cache) == 0


@pytest.mark.parametrize("method_type", ALL)
async def test_an_expired_credential_is_refused_also_when_remembered(method_type: MethodType) -> None:
    sample = Sample(method_type, expires_at=datetime.fromtimestamp(NOW + 60, UTC).isoformat())
    authenticator = sample.authenticator(make_parts())
    presented = authenticator.read(read_fields([sample.header]))
    await authenticator.verify(presented, NOW + 59.9)
    assert authenticator.recall(presented, NOW + 59.9)
    assert authenticator.recall(presented, NOW + 60) is None
    with pytest.raises(CredentialExpired) as refused:
        await authenticator.verify(presented, NOW + 60)
    assert refused.value.reason == "expired"
    assert authenticator.recall(presented, NOW + 59.9) is None


async def test_a_remembered_token_ends_at_its_exp() -> None:
    sample = Sample(MethodType.BEARER)
    authenticator = sample.authenticator(make_parts())
    token = sample.token(expires_in_s=10)
    await authenticator.verify(token, NOW)
    assert authenticator.recall(token, NOW + 9.99)
    assert authenticator.recall(token, NOW + 10) is None
    with pytest.raises(CredentialExpired):
        await authenticator.verify(token, NOW + 10)


async def test_rotating_the_methods_secret_ends_every_credential() -> None:
    rotated = AuthMethodSecret(new_hmac_secret())
    for method_type, reason in ((MethodType.BEARER, "wrong_signature"), (MethodType.API_KEY, "never_minted")):
        sample, parts = Sample(method_type), make_parts()
        before = sample.authenticator(parts)
        presented = before.read(read_fields([sample.header]))
        await before.verify(presented, NOW)
        after = sample.authenticator(parts, method_digest="m2", secret=rotated)
        assert await refusal(after, presented) == reason


async def test_tokens_must_name_the_credentials_consumer() -> None:
    sample = Sample(MethodType.BEARER)
    authenticator = sample.authenticator(make_parts())
    assert await refusal(authenticator, sample.token(expires_in_s=60, consumer="other")) == "wrong_subject"
    assert await refusal(authenticator, sample.token(expires_in_s=60, credential_id=str(uuid.uuid4()))) == "revoked"


async def test_a_token_of_another_method_with_the_same_secret_is_refused() -> None:
    one, two = Sample(MethodType.BEARER), Sample(MethodType.BEARER)
    assert await refusal(two.authenticator(make_parts()), one.token(expires_in_s=60)) == "wrong_audience"


@pytest.mark.parametrize("method_type", ALL)
async def test_a_credential_of_another_method_opens_nothing(method_type: MethodType) -> None:
    sample, parts = Sample(method_type), make_parts()
    presented = sample.authenticator(parts).read(read_fields([sample.header]))
    other = make_method(method_type)
    authenticator = compile_authenticator(other, "m1", SECRET, {sample.spec.id: sample.credential()}, parts)
    await refusal(authenticator, presented)


async def test_what_one_method_remembers_is_nothing_to_another() -> None:
    parts = make_parts()
    one, two = Sample(MethodType.BASIC), Sample(MethodType.BASIC)
    first = one.authenticator(parts)
    presented = first.read(read_fields([one.header]))
    await first.verify(presented, NOW)
    assert two.authenticator(parts).recall(presented, NOW) is None
    assert first.recall(presented, NOW)


async def test_a_key_with_a_wrong_secret_part_is_refused_by_bcrypt() -> None:
    sample = Sample(MethodType.API_KEY)
    authenticator = sample.authenticator(make_parts())
    forged_with_our_hmac_secret = mint("qg_", sample.spec.id, SECRET.hmac_secret).key.encode()
    assert await refusal(authenticator, forged_with_our_hmac_secret) == "wrong_secret"


@pytest.mark.parametrize(
    ("user_and_password", "reason"),
    [
        ("erp:wrong", "wrong_password"),
        ("erp:", "wrong_password"),
        (f"erp:{PASSWORD} ", "wrong_password"),
        ("erp:" + "x" * 73, "wrong_password"),
        (f"ERP:{PASSWORD}", "unknown_user"),
        (f"erp :{PASSWORD}", "unknown_user"),
        ("x" * 1000 + ":y", "unknown_user"),
        (f":{PASSWORD}", "malformed_basic"),
        ("erp", "malformed_basic"),
        ("", "malformed_basic"),
        (f"erp\0:{PASSWORD}", "malformed_basic"),
        (f"erp:{PASSWORD}\0", "malformed_basic"),
        (b"erp:\xff\xfe", "malformed_basic"),
        ("erp:" + "x" * 4000, "malformed_basic"),
    ],
)
async def test_wrong_basic_credentials(user_and_password: str | bytes, reason: str) -> None:
    authenticator = Sample(MethodType.BASIC).authenticator(make_parts())
    presented = basic_header(user_and_password)[1].removeprefix(b"Basic ")
    assert await refusal(authenticator, presented) == reason


@pytest.mark.parametrize(
    "encoded",
    [
        base64.urlsafe_b64encode(b"erp:???"),
        base64.b64encode(b"erp:pw12").rstrip(b"="),
        base64.b64encode(b"erp:pw") + b"=",
        base64.b64encode(b"erp:pw")[:4] + b"\n" + base64.b64encode(b"erp:pw")[4:],
        base64.b64encode(b"erp:pw12") + base64.b64encode(b"erp:pw12"),
        b"ZXJwOnB3MTI0NR==",  # the same bytes as ...NQ==, with stray bits
        b"!!!!",
        b"=",
        b"\xff\xff",
    ],
)
def test_only_one_spelling_of_base64_is_read(encoded: bytes) -> None:
    assert read_basic(encoded) is None


def test_passwords_may_hold_colons_and_users_any_letters() -> None:
    found = read_basic(basic_header("jürgen:a:b:")[1].removeprefix(b"Basic "))
    assert found is not None
    assert (found.user, found.password) == ("jürgen", b"a:b:")
    assert "a:b" not in repr(found)


@given(st.binary(max_size=200))
def test_read_basic_takes_any_bytes(encoded: bytes) -> None:
    read_basic(encoded)
    found = read_basic(base64.b64encode(encoded))
    if found is not None:
        assert f"{found.user}:".encode() + found.password == encoded


@pytest.mark.parametrize("method_type", ALL)
@settings(max_examples=40)
@given(value=st.binary(max_size=300))
def test_any_header_bytes_are_a_401(method_type: MethodType, value: bytes) -> None:
    async def ask() -> None:
        sample = Sample(method_type)
        # No bcrypt here: a checker whose queue is full says so instead.
        authenticator = sample.authenticator(make_parts(queued_max=0))
        for sent in (value, b"Bearer " + value, b"Basic " + value, b"qg_" + value):
            try:
                presented = authenticator.read(read_fields([(sample.header[0], sent)]))
                authenticator.claimed(presented)
                assert authenticator.recall(presented, NOW) is None
                await authenticator.verify(presented, NOW)
            except (CredentialMissing, SignInBusy):
                continue
            raise AssertionError("accepted")

    asyncio.run(ask())


async def test_claimed_names_only_what_can_not_be_pinned_on_others() -> None:
    bearer, basic, key = (Sample(t) for t in (MethodType.BEARER, MethodType.BASIC, MethodType.API_KEY))
    parts = make_parts()
    assert bearer.authenticator(parts).claimed(bearer.token(expires_in_s=9)) == ""
    assert basic.authenticator(parts).claimed(base64.b64encode(b"x" * 900 + b":y")) == "x" * 64
    assert basic.authenticator(parts).claimed(b"\xff") == ""
    authenticator = key.authenticator(parts)
    assert authenticator.claimed(key.header[1]) == key.spec.id
    assert authenticator.claimed(mint("qg_", key.spec.id, new_hmac_secret()).key.encode()) == ""


async def test_a_hundred_questions_at_once_are_one_check() -> None:
    for method_type in (MethodType.BASIC, MethodType.API_KEY):
        sample = Sample(method_type, cost=6)
        authenticator = sample.authenticator(make_parts(threads=1, queued_max=1))
        presented = authenticator.read(read_fields([sample.header]))
        found = await asyncio.gather(*(authenticator.verify(presented, NOW) for _ in range(100)))
        assert {principal.credential_id for principal in found} == {sample.spec.id}


async def test_waiters_that_leave_take_their_check_with_them() -> None:
    sample = Sample(MethodType.BASIC, cost=9)
    parts = make_parts(threads=1, queued_max=1)
    authenticator = sample.authenticator(parts)
    running = asyncio.create_task(authenticator.verify(basic_header("erp:first")[1][6:], NOW))
    await asyncio.sleep(0.001)
    leaving = [asyncio.create_task(authenticator.verify(basic_header("erp:second")[1][6:], NOW)) for _ in range(3)]
    await asyncio.sleep(0.001)
    assert parts.checker.queued == 1
    for task in leaving[:2]:
        task.cancel()
    await asyncio.sleep(0.001)
    assert parts.checker.queued == 1
    leaving[2].cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    await asyncio.sleep(0.001)
    assert parts.checker.queued == 0
    with pytest.raises(CredentialInvalid):
        await running


async def test_a_full_queue_is_busy_and_not_a_refusal() -> None:
    sample = Sample(MethodType.BASIC)
    authenticator = sample.authenticator(make_parts(queued_max=0))
    with pytest.raises(SignInBusy):
        await authenticator.verify(authenticator.read(read_fields([sample.header])), NOW)


def test_methods_that_can_not_work_are_refused_when_compiled() -> None:
    parts = make_parts()
    for method_type in (MethodType.BEARER, MethodType.API_KEY):
        method = make_method(method_type)
        for secret in (None, AuthMethodSecret("00" * 31), AuthMethodSecret("not hex")):
            with pytest.raises(KeyInvalid):
                compile_authenticator(method, "m", secret, {}, parts)
    for algorithm in ("none", "RS256", "hs256", ""):
        with pytest.raises(KeyInvalid):
            compile_authenticator(make_method(MethodType.BEARER, algorithm), "m", SECRET, {}, parts)


@pytest.mark.parametrize("expires_at", ["", "soon", "2026-01-01T00:00:00", "1e9"])
def test_a_credential_with_an_unreadable_expiry_is_not_compiled(expires_at: str) -> None:
    sample = Sample(MethodType.BASIC, expires_at=expires_at)
    with pytest.raises(ValueError):
        compile_credential(sample.spec, "c", sample.secret)
