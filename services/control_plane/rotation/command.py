"""`querygateway keys rotate`: settings, wiring, one run or one look, and what came out of it as an exit status."""

import asyncio
from collections.abc import Mapping

from sqlalchemy.exc import SQLAlchemyError

from control_plane.rotation.fleet import ReadersMissing
from control_plane.rotation.parts import open_rotation
from control_plane.rotation.rotation import Left, described, needed
from control_plane.rotation.steps import Tell
from control_plane.seeding import DatabaseUnfit
from control_plane.settings import Settings, settings_from
from qg_bundle.link import LINK_ERRORS
from qg_core.errors import GatewayError
from qg_telemetry.events import Event
from qg_telemetry.redaction import clean

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_KEYS_NEEDED = 3
"""Something is still under an older key: it must not be removed yet."""


def run(environ: Mapping[str, str], *, only_check: bool, regardless: bool = False, say: Tell, complain: Tell) -> int:
    """Rotate, or with `only_check` only look; the exit status.

    `regardless`: also when data planes report that they lack the newest keys. `say` gets each line as it comes,
    `complain` why it was stopped. Raises `SettingsInvalid`.
    """
    settings = settings_from(environ)
    try:
        return asyncio.run(_rotate(settings, say, only_check=only_check, regardless=regardless))
    except ReadersMissing as error:
        complain(f"nothing was changed: {error}")
        complain("--regardless goes ahead: those data planes then answer 503 for what they can't open")
        return EXIT_FAILED
    except (DatabaseUnfit, SQLAlchemyError, GatewayError, *LINK_ERRORS) as error:
        reason = clean((str(error).splitlines() or [""])[0][:300])
        complain(f"stopped: {type(error).__name__}: {reason}")
        complain("what was done stays done: run it again when that is put right")
        return EXIT_FAILED


async def _rotate(settings: Settings, say: Tell, *, only_check: bool, regardless: bool) -> int:
    async with open_rotation(settings, _ignore) as rotation:
        changed = 0 if only_check else await rotation.run(say, regardless=regardless)
        found = await rotation.left()
    for left in found:
        if only_check or left.count.older or left.count.broken:
            say(described(left))
    if not only_check:
        say(f"{changed} changed" if changed else "nothing to change")
    return _verdict(settings, found, say)


def _verdict(settings: Settings, found: list[Left], say: Tell) -> int:
    say(
        f"JWT_SECRET_KEY: {len(settings.jwt_secret_keys)} in use; a sign-in lasts {settings.admin_token_expires_s} s, "
        "and ends with the key that signed it"
    )
    if variables := needed(found):
        say(f"older keys are still needed: {', '.join(variables)}")
        return EXIT_KEYS_NEEDED
    say("older keys of ENCRYPTION_KEY, BUNDLE_SEAL_KEY and BUNDLE_SIGNING_KEY may be removed")
    return EXIT_DONE


def _ignore(_: Event) -> None:
    """Revisions and the audit log say what was done; the lines of this command say the rest."""
