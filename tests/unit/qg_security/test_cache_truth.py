"""Whatever happens in whatever order, what is remembered is never more than what would be verified now."""

import asyncio
from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from qg_core.errors import CredentialMissing
from qg_core.header_fields import read_fields
from qg_core.specs import AuthMethodSecret, MethodType
from qg_security.authenticators import Authenticator, AuthParts
from qg_security.keys import new_hmac_secret
from qg_security.principals import Principal
from tests.unit.qg_security.auth_samples import NOW, SECRET, Sample, make_parts

LIFE_S = 100


class RememberedNeverExceedsVerified(RuleBasedStateMachine):
    """One method, one credential, one cache that outlives all its catalogs."""

    @initialize(method_type=st.sampled_from(list(MethodType)), expires=st.booleans())
    def begin(self, method_type: MethodType, expires: bool) -> None:
        expires_at = datetime.fromtimestamp(NOW + LIFE_S, UTC).isoformat() if expires else None
        self.sample = Sample(method_type, expires_at=expires_at)
        self.parts = make_parts(threads=1)
        self.now = NOW
        self.secret = SECRET
        self.method_digest = self.credential_digest = 1
        self.revoked = False
        self.presented = [self.sample.authenticator(self.parts).read(read_fields([self.sample.header]))]
        self.recompile()

    def compiled(self, parts: AuthParts) -> Authenticator:
        return self.sample.authenticator(
            parts,
            method_digest=f"m{self.method_digest}",
            credential_digest=f"c{self.credential_digest}",
            revoked=self.revoked,
            secret=self.secret,
        )

    def verified(self, authenticator: Authenticator, presented: bytes) -> Principal | None:
        try:
            return asyncio.run(authenticator.verify(presented, self.now))
        except CredentialMissing:
            return None

    @rule()
    def recompile(self) -> None:
        """A new catalog in which nothing of this method has changed."""
        self.authenticator = self.compiled(self.parts)

    @rule(number=st.integers(min_value=0, max_value=20))
    def call(self, number: int = 0) -> None:
        if self.revoked and self.sample.method.method_type is MethodType.BASIC:
            return  # the same work for an unknown user: a quarter of a second
        presented = self.presented[number % len(self.presented)]
        if self.authenticator.recall(presented, self.now) is None:
            self.verified(self.authenticator, presented)

    @rule(seconds=st.sampled_from([1, 60, 120, 700]))
    def wait(self, seconds: int) -> None:
        self.call()
        self.now += seconds

    @precondition(lambda self: self.sample.method.method_type is MethodType.BEARER)
    @rule(life_s=st.integers(min_value=1, max_value=300))
    def issue(self, life_s: int) -> None:
        self.presented.append(self.sample.token(expires_in_s=life_s))

    @rule()
    def rotate(self) -> None:
        self.call()  # so that there is something to forget
        if self.sample.method.method_type is not MethodType.BASIC:
            self.secret = AuthMethodSecret(new_hmac_secret())
        self.method_digest += 1
        self.recompile()

    @rule()
    def change_credential(self) -> None:
        self.call()  # so that there is something to forget
        self.credential_digest += 1
        self.recompile()

    @rule()
    def revoke(self) -> None:
        self.call()  # so that there is something to forget
        self.revoked = True
        self.recompile()

    @rule()
    def restore(self) -> None:
        self.revoked = False
        self.recompile()

    @invariant()
    def remembered_is_true(self) -> None:
        for presented in self.presented:
            remembered = self.authenticator.recall(presented, self.now)
            if remembered is not None:
                assert remembered == self.verified(self.compiled(make_parts(threads=1)), presented)

    def teardown(self) -> None:
        if hasattr(self, "parts"):
            self.parts.checker.close()


TestRememberedNeverExceedsVerified = RememberedNeverExceedsVerified.TestCase
TestRememberedNeverExceedsVerified.settings = settings(max_examples=25, stateful_step_count=20)
