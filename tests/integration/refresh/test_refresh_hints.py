"""Hints: heard whatever else is published on their channel."""

from data_plane.refreshing.hints import MESSAGE_BYTES_MAX, Hints
from qg_bundle import keys
from qg_bundle.link import open_link
from tests.support.waiting import until


async def test_a_huge_message_is_not_read_and_later_hints_are(redis_url: str) -> None:
    redis = open_link(redis_url)
    hints = Hints(redis)
    hints.start()

    async def listens() -> bool:
        ((_, listeners),) = await redis.pubsub_numsub(keys.HINT)
        return bool(listeners)

    async def ours() -> set[bytes]:
        return {found["id"] for found in await redis.client_list(_type="pubsub")}

    try:
        await until(listens)
        before = await ours()
        await redis.publish(keys.HINT, b"x" * (20 * MESSAGE_BYTES_MAX))

        async def begun_anew() -> bool:
            return await listens() and not before & await ours()

        await until(begun_anew)
        hints._heard.clear()
        await redis.publish(keys.HINT, b"7")
        await until(lambda: hints._heard.is_set())
    finally:
        await hints.close()
        await redis.aclose()
