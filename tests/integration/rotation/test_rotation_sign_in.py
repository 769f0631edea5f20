"""`JWT_SECRET_KEY`: sign-ins survive while both keys are in use; what the removed one signed is refused afterwards."""

import time

import pytest

from control_plane.edge.visit import Visit
from control_plane.sign_in.limits import FailureLedger, FailureLimits
from control_plane.sign_in.service import SignIn
from qg_core.errors import CredentialInvalid
from qg_security.admin_tokens import admin_keys, issue_admin_token
from qg_security.passwords import PasswordChecker
from tests.integration.rotation.turning import Turning

OLD, NEW = "the older admin signing key, 32 bytes", "the newest admin signing key, 32 bytes"
VISIT = Visit(request_id="r-1", client_ip="192.0.2.1", network="192.0.2.1")


def token_of(*texts: str) -> bytes:
    """A token as a control plane with these keys issues it."""
    token, _ = issue_admin_token(
        admin_keys(texts), username="ada", role="admin", version=1, expires_in_s=60, now=time.time()
    )
    return token.encode()


async def test_sign_ins_survive_the_overlap_and_end_with_their_key(turning: Turning) -> None:
    passwords = PasswordChecker(threads=1)

    def plane(*texts: str) -> SignIn:
        return SignIn(
            sessions=turning.rig.sessions,
            sealer=turning.rig.at_rest,
            passwords=passwords,
            failures=FailureLedger(
                turning.rig.sessions, FailureLimits(per_user_max=10, per_network_max=50, window_s=300)
            ),
            token_keys=admin_keys(texts),
            token_expires_s=60,
            observe=turning.rig.events.append,
        )

    before, behind, in_front, after = token_of(OLD), token_of(OLD, NEW), token_of(NEW, OLD), token_of(NEW)
    try:
        # First every control plane knows the new key, then each signs with it: whichever one an admin meets.
        for knows_both in (plane(OLD, NEW), plane(NEW, OLD)):
            for token in (before, behind, in_front, after):
                assert (await knows_both.recognise(token, VISIT)).username == "ada"
        ended = plane(NEW)
        for token in (in_front, after):
            assert (await ended.recognise(token, VISIT)).username == "ada"
        for token in (before, behind):
            with pytest.raises(CredentialInvalid):
                await ended.recognise(token, VISIT)
        assert turning.rig.saw("admin_sign_in_refused", reason="wrong_signature")
    finally:
        passwords.close()
