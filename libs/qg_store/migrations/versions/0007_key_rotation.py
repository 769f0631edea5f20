"""What a rotation of keys may change of rows that otherwise nobody changes.

Secrets of specs that nothing names any more are taken out by a function of the owner, which can do nothing else to
them; the header of a snapshot may be tagged again. Revision 0007, after 0006.
"""

from alembic import op

from qg_store.migrations.roles import APP

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_SIGNATURE = "qg_strip_superseded_specs(text[])"

_FUNCTION = """
CREATE FUNCTION public.qg_strip_superseded_specs(wanted text[]) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH stripped AS (
        UPDATE public.specs AS spec
        SET body = convert_to(
            jsonb_set(
                convert_from(spec.body, 'UTF8')::jsonb,
                '{sealed}',
                CASE spec.kind WHEN 'connection' THEN '""'::jsonb ELSE 'null'::jsonb END,
                false
            )::text,
            'UTF8'
        )
        WHERE spec.digest = ANY (wanted)
            AND spec.kind IN ('connection', 'auth_method', 'credential')
            AND NOT EXISTS (SELECT FROM public.published WHERE published.digest = spec.digest)
        RETURNING 1
    )
    SELECT count(*)::integer FROM stripped
$$
"""


def upgrade() -> None:
    """Apply."""
    op.execute(_FUNCTION)
    op.execute(f"REVOKE ALL ON FUNCTION public.{_SIGNATURE} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION public.{_SIGNATURE} TO {APP}")
    op.execute(f"GRANT UPDATE (header) ON snapshots TO {APP}")


def downgrade() -> None:
    """Take back."""
    op.execute(f"REVOKE UPDATE (header) ON snapshots FROM {APP}")
    op.execute(f"DROP FUNCTION public.{_SIGNATURE}")
