"""Alembic's environment: runs on the connection that `qg_store.migrate` hands over, in one transaction."""

from alembic import context

from qg_store.migrations.partitions import is_modelled
from qg_store.models import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    compare_type=True,
    compare_server_default=True,
    include_name=is_modelled,
)
context.run_migrations()
