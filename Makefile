# QueryGateway. `make` alone lists the targets; each target says what it is for after its `##`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
PYTHON_IN_VENV := $(VENV)/bin/python
# A clone that was moved gets a new environment: the paths in a virtual environment are absolute.
STAMP := $(VENV)/installed$(subst /,-,$(CURDIR))
PYTEST_WORKERS ?= 4

# Compiled modules are kept, also where the shell's environment says otherwise (containers often do): a control plane
# that compiles everything at each start takes three times as long, and the tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE :=
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z][a-z0-9-]*:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo

##@ Run it

.PHONY: env
env: $(STAMP) ## Make .venv from requirements-dev.lock; quick when nothing changed (PYTHON=... chooses the interpreter)

.PHONY: dev
dev: $(STAMP) ## Start the whole stack with demo endpoints and print curl lines (PORT_BASE=..., DATA_PLANES=2, WORKERS=2)
	@exec $(PYTHON_IN_VENV) -m qg_devstack up

.PHONY: dev-down
dev-down: $(STAMP) ## Stop what `make dev` started, also after it was killed
	@exec $(PYTHON_IN_VENV) -m qg_devstack down

##@ Check it

.PHONY: test
test: $(STAMP) ## Everything that must pass before a merge: lint, types, imports, all tests
	@exec $(PYTHON_IN_VENV) -m qg_devstack.gates --workers $(PYTEST_WORKERS)

.PHONY: lint
lint: $(STAMP) ## Style and formatting (ruff)
	@$(PYTHON_IN_VENV) -m qg_devstack.gates lint format

.PHONY: format
format: $(STAMP) ## Rewrite the files as `make lint` wants them
	@$(VENV)/bin/ruff check --fix-only --quiet . && $(VENV)/bin/ruff format .

.PHONY: typecheck
typecheck: $(STAMP) ## Strict types (mypy)
	@$(PYTHON_IN_VENV) -m qg_devstack.gates types

.PHONY: imports
imports: $(STAMP) ## Who may import whom (import-linter; the contracts are in pyproject.toml)
	@$(PYTHON_IN_VENV) -m qg_devstack.gates imports

.PHONY: unit
unit: $(STAMP) ## Tests without servers
	@$(VENV)/bin/pytest tests/unit -n $(PYTEST_WORKERS) --dist loadfile

.PHONY: integration
integration: $(STAMP) ## Tests against real servers, which they start themselves
	@$(VENV)/bin/pytest tests/integration -n $(PYTEST_WORKERS) --dist loadfile

.PHONY: e2e
e2e: $(STAMP) ## Tests with real service processes
	@$(VENV)/bin/pytest tests/e2e -n 2 --dist loadfile

.PHONY: storm
storm: $(STAMP) ## Faults at full length: two minutes of schedules, 30 s without Postgres, keys rotated under load, what `make test` leaves out
	@STORM_SECONDS=120 OUTAGE_SECONDS=30 ACCESS_REQUESTS=20000 \
		$(VENV)/bin/pytest tests/e2e -k "worker or access_rows or key_rotation or own_servers or dev_stack" -s
	@LARGE_ROWS=500000 $(VENV)/bin/pytest tests/unit tests/integration -m long
	@LARGE_ROWS=500000 $(VENV)/bin/pytest tests/integration/worker/test_worker_large.py
	@FUZZ_EXAMPLES=30 $(VENV)/bin/pytest tests/integration/control_plane/test_schemathesis.py

.PHONY: test-oracle
test-oracle: $(STAMP) ## The tests that need Oracle, on your own: ORACLE_TEST_DSN=host:1521/SERVICE, ORACLE_TEST_USER, ORACLE_TEST_PASSWORD
	@: $${ORACLE_TEST_DSN:?say which database: make test-oracle ORACLE_TEST_DSN=host:1521/SERVICE}
	@$(VENV)/bin/pytest tests -m oracle

.PHONY: bench
bench: $(STAMP) ## Compare the data plane with a bare Granian + oracledb application (docs/benchmarks.md)
	@exec $(PYTHON_IN_VENV) -m benchmarks

##@ Keep it

.PHONY: lock
lock: $(STAMP) ## Resolve the lock files again from pyproject.toml; versions that still fit stay
	@resolve() { \
		$(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
			--python-version 3.11 pyproject.toml "$${@:2}" --output-file "$$1"; \
		echo "$$1: $$(grep -c == "$$1") packages"; \
	}; \
	resolve requirements.lock; \
	resolve requirements-otel.lock --extra otel; \
	resolve requirements-dev.lock --extra otel --group dev

.PHONY: clean
clean: ## Remove caches and what `make dev` left (.venv stays)
	@if [ -x $(PYTHON_IN_VENV) ] && [ -d .dev ]; then $(PYTHON_IN_VENV) -m qg_devstack down; fi
	@rm -rf .dev .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .schemathesis build dist
	@find libs services tests benchmarks supply_chain helm deploy -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# Two steps, since pip takes no editable package together with --require-hashes. --only-binary: nothing is built here,
# so no package runs code of its own while it is installed. --no-compile: Python compiles what is imported, when it is.
$(STAMP): requirements-dev.lock pyproject.toml
	@python=$$(.ci/find-python $(PYTHON)); \
	if [ -d $(VENV) ] && ! compgen -G '$(STAMP)' >/dev/null; then rm -rf $(VENV); fi; \
	if [ ! -x $(PYTHON_IN_VENV) ]; then echo "making $(VENV) with $$($$python --version)"; $$python -m venv $(VENV); fi; \
	echo "installing from requirements-dev.lock"; \
	$(PYTHON_IN_VENV) -m pip install --quiet --require-hashes --no-compile --only-binary :all: -r requirements-dev.lock; \
	$(PYTHON_IN_VENV) -m pip install --quiet --no-deps --no-build-isolation -e .; \
	touch $(STAMP)

# What ships: images, chart, supply chain; a file for each.
-include $(sort $(wildcard make/*.mk))
