"""Who acts: the signed-in admin of one request, as audit entries and revisions name them."""

import msgspec


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """`admin_id` is null for what the control plane does by itself; `role` is `viewer`, `editor` or `admin`."""

    admin_id: str | None
    username: str
    role: str
    request_id: str | None = None
    remote_ip: str | None = None


SYSTEM = Actor(admin_id=None, username="system", role="admin")
"""The control plane itself: seeding, repairs."""
