"""What services know of the schema's revisions without Alembic is what Alembic finds."""

import subprocess
import sys

from alembic.script import ScriptDirectory

from qg_store import revisions


def test_they_are_those_of_the_migrations() -> None:
    scripts = ScriptDirectory(str(revisions.SCRIPTS))
    assert revisions.known() == tuple(sorted(script.revision for script in scripts.walk_revisions()))
    assert revisions.head() == scripts.get_current_head()


def test_what_a_revision_is_to_this_release() -> None:
    head = revisions.head()
    assert revisions.is_known("0001")
    assert revisions.is_known(head)
    assert not revisions.is_known("0000")
    assert revisions.is_newer(f"{int(head) + 1:04d}")
    assert not any(map(revisions.is_newer, (head, "0001", "99999", "head", "²²²²", "")))


def test_services_start_without_alembic() -> None:
    code = "import sys, control_plane.app, worker.app; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
