"""A package that was added must be in the import contracts: import-linter checks only those it was told about."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DEV_ONLY = {"qg_standin", "qg_devstack"}
ABOVE_THE_OTHERS = {"qg_activation"}
"""Libs that may import other libs; contracts of their own say which."""

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = {contract["id"]: contract for contract in SETTINGS["tool"]["importlinter"]["contracts"]}


def packages(folder: str) -> set[str]:
    return {path.parent.name for path in (ROOT / folder).glob("*/__init__.py")}


def test_every_package_is_a_root() -> None:
    assert set(SETTINGS["tool"]["importlinter"]["root_packages"]) == packages("libs") | packages("services")


def test_every_lib_over_the_core_is_bounded() -> None:
    over_core = packages("libs") - DEV_ONLY - {"qg_core"}
    assert set(CONTRACTS["libs-independent"]["modules"]) == over_core - ABOVE_THE_OTHERS
    assert set(CONTRACTS["core"]["forbidden_modules"]) == over_core
    assert set(CONTRACTS["libs-no-service"]["source_modules"]) == over_core | {"qg_core"}
    assert set(CONTRACTS["libs-no-framework"]["source_modules"]) == over_core | {"qg_core", "worker"}


def test_every_service_is_bounded() -> None:
    services = packages("services")
    assert set(CONTRACTS["services-independent"]["modules"]) == services - {"cli"}
    assert set(CONTRACTS["libs-no-service"]["forbidden_modules"]) == services


def test_everything_that_is_shipped_is_kept_from_the_dev_packages() -> None:
    shipped = {Path(path).name for path in SETTINGS["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]}
    assert shipped == (packages("libs") | packages("services")) - DEV_ONLY
    assert set(CONTRACTS["dev-only"]["source_modules"]) == shipped
    assert set(CONTRACTS["dev-only"]["forbidden_modules"]) >= DEV_ONLY
