"""Stored settings. Which keys there are, and what they may be, is the control plane's to know."""

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from qg_store.models import StoredSetting
from qg_store.models.settings import SettingValue


async def every(session: AsyncSession) -> list[StoredSetting]:
    """All that are stored, by key."""
    return list((await session.execute(select(StoredSetting).order_by(StoredSetting.key))).scalars())


async def by_key(session: AsyncSession, key: str) -> StoredSetting | None:
    """One that is stored."""
    return await session.get(StoredSetting, key)


async def put(session: AsyncSession, key: str, value: SettingValue, updated_by: str) -> StoredSetting:
    """Store a value, in place of the one before if there was one."""
    statement = upsert(StoredSetting).values(key=key, value=value, updated_by=updated_by)
    rows = await session.execute(
        statement.on_conflict_do_update(
            index_elements=[StoredSetting.key],
            set_={
                "value": statement.excluded.value,
                "updated_by": statement.excluded.updated_by,
                "updated_at": func.clock_timestamp(),
            },
        ).returning(StoredSetting),
        execution_options={"populate_existing": True},
    )
    return rows.scalars().one()


async def forget(session: AsyncSession, key: str) -> None:
    """Back to what the environment says."""
    await session.execute(delete(StoredSetting).where(StoredSetting.key == key))
