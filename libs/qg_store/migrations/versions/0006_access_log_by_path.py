"""An index for the filter of the access log by path, newest first.

Revision 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # Of the path's hash: a path is whatever somebody asked for, up to 4 KiB, and Postgres refuses rows whose index
    # entry is larger than a third of a page. 16 bytes an entry also cost an insert the least.
    op.create_index("ix_access_log_path_hash", "access_log", [sa.text("hashtextextended(path, 0)"), "at"], unique=False)


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_access_log_path_hash", table_name="access_log")
