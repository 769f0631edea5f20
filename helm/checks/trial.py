"""Secrets for a trial, given to the chart as values: made as a user would make them, with the gateway's own command."""

import secrets
from typing import Any

import bcrypt

from cli.key_material import new_values


def trial_values() -> dict[str, Any]:
    """Values with every secret, to be laid over a value set."""
    keys = new_values()

    def url(scheme: str, user: str, rest: str) -> str:
        return f"{scheme}://{user}:{secrets.token_urlsafe(24)}@{rest}"

    def database(user: str) -> str:
        return url("postgresql", user, "postgres.example.com:5432/querygateway?sslmode=verify-full")

    def redis(user: str) -> str:
        return url("rediss", user, "redis.example.com:6380/0")

    seal = {"BUNDLE_SEAL_KEY": keys["BUNDLE_SEAL_KEY"]}
    control_plane = {
        "DATABASE_URL": database("control"),
        "REDIS_URL": redis("control"),
        "ENCRYPTION_KEY": keys["ENCRYPTION_KEY"],
        "BUNDLE_SIGNING_KEY": keys["BUNDLE_SIGNING_KEY"],
        "JWT_SECRET_KEY": keys["JWT_SECRET_KEY"],
        "ADMIN_PASSWORD_HASH": bcrypt.hashpw(secrets.token_bytes(18), bcrypt.gensalt(4)).decode("ascii"),
        **seal,
    }
    return {
        "settings": {"GATEWAY_ID": keys["GATEWAY_ID"], "BUNDLE_VERIFY_KEYS": keys["BUNDLE_VERIFY_KEYS"]},
        "controlPlane": {"secrets": {"values": control_plane}},
        "dataPlane": {"secrets": {"values": {"REDIS_URL": redis("node"), **seal}}},
        "worker": {"secrets": {"values": {"DATABASE_URL": database("worker"), "REDIS_URL": redis("worker"), **seal}}},
        "migration": {"secrets": {"values": {"MIGRATION_DATABASE_URL": database("owner")}}},
    }


def secret_texts(values: dict[str, Any]) -> set[str]:
    """Every secret in such values."""
    return {
        text
        for service in ("controlPlane", "dataPlane", "worker", "migration")
        for text in values.get(service, {}).get("secrets", {}).get("values", {}).values()
    }
