"""URLs of Postgres as operators write them."""

import pytest

from qg_store.engine import asyncpg_url


@pytest.mark.parametrize("name", ["sslmode", "ssl"])
def test_tls_is_asked_for_as_libpq_names_it(name: str) -> None:
    url = asyncpg_url(f"postgresql://user:secret@db.example/gateway?{name}=verify-full")
    assert dict(url.query) == {"ssl": "verify-full"}
    assert url.drivername == "postgresql+asyncpg"


def test_without_parameters() -> None:
    assert not asyncpg_url("postgres://user:secret@db.example:6432/gateway").query


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:secret@db.example/gateway?sslmode=perhaps",
        "postgresql://user:secret@db.example/gateway?sslmode=require&sslmode=disable",
        "postgresql://user:secret@db.example/gateway?sslrootcert=/etc/ca.pem",
        "mysql://user:secret@db.example/gateway",
        "db.example",
    ],
)
def test_what_is_refused_is_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match=r"must be|may have") as refused:
        asyncpg_url(url)
    assert "secret" not in str(refused.value)
