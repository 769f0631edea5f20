"""Stored settings: known keys, ranges, and the way into a spec and back."""

import re
from pathlib import Path

import msgspec
import pytest

from qg_core.gateway_settings import GATEWAY_SETTINGS, RESTART_KEYS, settings_spec, stored_lines, stored_values, written
from qg_core.specs import SETTINGS_ID, SettingsSpec, decode_spec, encode_spec
from qg_core.web_origins import web_origin

EVERY = {
    "log_level": "DEBUG",
    "query_timeout_seconds": 7,
    "cors_origins": ["https://a.example", "http://b.example:8080"],
    "snapshot_retention_count": 100,
    "max_job_concurrency": 10,
    "access_log_retention_days": 3650,
}


def test_the_spec_has_a_field_for_every_known_key_and_no_other() -> None:
    fields = {field.name for field in msgspec.structs.fields(SettingsSpec)}
    assert fields - {"format", "id"} == set(GATEWAY_SETTINGS)
    assert set(RESTART_KEYS) <= set(GATEWAY_SETTINGS)


def test_values_come_back_out_of_the_spec() -> None:
    spec = settings_spec(EVERY)
    assert spec.id == SETTINGS_ID
    assert decode_spec(encode_spec(spec)) == spec
    assert stored_values(spec) == {**EVERY, "cors_origins": tuple(EVERY["cors_origins"])}  # type: ignore[arg-type]  # a list above
    assert stored_lines(spec)[2] == "cors_origins=https://a.example,http://b.example:8080"


def test_what_is_not_stored_is_null_and_a_later_releases_key_is_left_out() -> None:
    spec = settings_spec({"max_job_concurrency": 2, "of_a_later_release": True})
    assert stored_values(spec) == {"max_job_concurrency": 2}
    assert settings_spec({}) == msgspec.structs.replace(spec, max_job_concurrency=None)
    assert stored_lines(None) == stored_lines(settings_spec({})) == ()


@pytest.mark.parametrize("setting", GATEWAY_SETTINGS.values(), ids=lambda setting: setting.key)
def test_defaults_are_within_their_ranges(setting: object) -> None:
    assert isinstance(setting, type(GATEWAY_SETTINGS["log_level"]))
    assert setting.read(setting.default) == setting.default
    assert written(setting.default) is not None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("log_level", "debug"), ("log_level", 10), ("log_level", None), ("log_level", "x" * 10_000),
        ("query_timeout_seconds", 0), ("query_timeout_seconds", 301), ("query_timeout_seconds", True),
        ("query_timeout_seconds", 1.0), ("query_timeout_seconds", "30"),
        ("cors_origins", "https://a.example"), ("cors_origins", ["*"]), ("cors_origins", ["https://a.example/"]),
        ("cors_origins", [7]), ("cors_origins", [f"https://a{n}.example" for n in range(101)]),
        ("snapshot_retention_count", 0), ("snapshot_retention_count", 101),
        ("max_job_concurrency", 0), ("max_job_concurrency", 11),
        ("access_log_retention_days", 0), ("access_log_retention_days", 3_651),
    ],
)  # fmt: skip
def test_what_lies_out_of_range_is_refused_in_one_sentence(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"^must be ") as refused:
        GATEWAY_SETTINGS[key].read(value)
    assert len(str(refused.value)) < 300
    with pytest.raises(ValueError, match=rf"^{key} must be "):
        settings_spec({key: value})


def test_a_number_of_more_digits_than_python_writes_is_refused_as_well() -> None:
    with pytest.raises(ValueError, match=r"^must be a whole number from 1 to 300, not that$"):
        GATEWAY_SETTINGS["query_timeout_seconds"].read(10**5_000)


def test_a_spec_that_holds_more_than_is_allowed_is_noticed() -> None:
    with pytest.raises(ValueError, match="must be"):
        stored_values(msgspec.structs.replace(settings_spec({}), cors_origins=("*",)))


def test_an_origin_given_twice_counts_once() -> None:
    assert GATEWAY_SETTINGS["cors_origins"].read(["https://a.example", "https://a.example"]) == ("https://a.example",)


@pytest.mark.parametrize(
    "origin", ["https://a.example", "http://localhost:3000", "https://[::1]:8443", "http://10.0.0.1"]
)
def test_origins(origin: str) -> None:
    assert web_origin(origin) == origin


@pytest.mark.parametrize(
    "value",
    ["", "*", "null", "https://*", "https://*.example", "a.example", "ftp://a.example", "https://a.example/x",
     "https://a.example?x", "https://a.example#x", "https://u:p@a.example", "https://A.example", "HTTPS://a.example",
     "https://a.example:0", "https://a.example:99999", "https://ä.example", "https://a.example\r\nx: y", "https://a b",
     "https://a.example,https://b.example", "http://[", "https://" + "a" * 250],
)  # fmt: skip
def test_what_no_browser_would_send_is_no_origin(value: str) -> None:
    with pytest.raises(ValueError, match="must be origins such as"):
        web_origin(value)


def test_the_page_lists_exactly_these_settings() -> None:
    page = (Path(__file__).parents[3] / "docs" / "settings.md").read_text(encoding="utf-8")
    section = page.split("## Stored settings", 1)[1].split("\n## ", 1)[0]
    rows = {
        match[1]: (match[2], match[3])
        for match in re.finditer(r"^\| `([a-z_]+)` \| .*? \| `([A-Z_]+)` \| (.*) \|$", section, re.MULTILINE)
    }
    assert rows == {key: (setting.variable, setting.description) for key, setting in GATEWAY_SETTINGS.items()}
