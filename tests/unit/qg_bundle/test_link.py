"""How Redis is reached."""

from redis.asyncio.connection import SSLConnection

from qg_bundle.link import open_link


def test_over_tls_the_name_in_the_certificate_is_checked() -> None:
    connection = open_link("rediss://redis.example:6380/0").connection_pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py: untyped
    assert isinstance(connection, SSLConnection)
    assert connection.ssl_context.check_hostname is True


def test_without_tls_nothing_is_asked_of_it() -> None:
    assert not isinstance(open_link("redis://redis.example/0").connection_pool.make_connection(), SSLConnection)  # type: ignore[no-untyped-call]  # redis-py: untyped
