# What is built from what, and who signs it: supply_chain/README.md. The release targets are called by .github/workflows
# alone: what they push, they push for everybody.

##@ Trust it

# An environment of its own, so that neither the tools nor what they need can meet what is shipped or tested.
AUDIT_VENV := $(VENV)/audit
AUDIT_STAMP := $(AUDIT_VENV)/installed
AUDIT_LOCK := supply_chain/requirements-audit.lock
ZIZMOR ?= $(VENV)/bin/zizmor
SBOM ?= build/querygateway.cdx.json

.PHONY: audit
audit: $(STAMP) $(AUDIT_STAMP) ## Look up known vulnerabilities of every lock file (pip-audit); fails when nothing was looked up
	@$(PYTHON_IN_VENV) -m supply_chain.audit $(AUDIT_VENV)/bin/pip-audit build/audit

.PHONY: osv-gate
osv-gate: $(STAMP) build/kev.json ## Judge osv-scanner's reports osv-tree.json and osv-canary.json: exploited, critical, overdue
	@$(PYTHON_IN_VENV) -m supply_chain.osv osv-tree.json osv-canary.json build/kev.json

.PHONY: image-gate
image-gate: $(STAMP) build/kev.json ## Judge Trivy's report image-scan.json: what it saw, exploited, critical, high with a fix, secrets
	@$(PYTHON_IN_VENV) -m supply_chain.image_scan image-scan.json build/kev.json

.PHONY: pin-lint
pin-lint: $(STAMP) ## Every action and image is pinned by hash and listed; workflows follow the rules
	@$(PYTHON_IN_VENV) -m supply_chain.pin_lint

.PHONY: zizmor
zizmor: $(STAMP) ## Look for weaknesses in the workflows (zizmor, without network)
	@$(ZIZMOR) --offline --no-progress .github

.PHONY: freshness
freshness: $(STAMP) ## What has grown old: evidence of pins, accepted vulnerabilities, SECURITY-INSIGHTS.yml
	@$(PYTHON_IN_VENV) -m supply_chain.freshness

.PHONY: sbom
sbom: $(AUDIT_STAMP) ## Write what is shipped, with hashes, to SBOM=build/querygateway.cdx.json (CycloneDX)
	@mkdir -p $(dir $(SBOM))
	@$(AUDIT_VENV)/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml \
		--output-reproducible --output-format JSON --output-file $(SBOM)
	@echo "$(SBOM)"

.PHONY: base-image-check
base-image-check: $(STAMP) ## The image ours is built on is pinned, listed, and signed where its publisher signs (needs cosign)
	@$(PYTHON_IN_VENV) -m supply_chain.base_image

.PHONY: place
place: $(STAMP) ## Say where the project lives and who signs for it; REPOSITORY=owner/name moves a fork there
	@$(PYTHON_IN_VENV) -m supply_chain.place $(REPOSITORY)

.PHONY: audit-lock
audit-lock: $(STAMP) ## Resolve supply_chain/requirements-audit.lock again; versions that still fit stay
	@$(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
		--python-version 3.11 supply_chain/requirements-audit.in --output-file $(AUDIT_LOCK)

$(AUDIT_STAMP): $(AUDIT_LOCK) | $(STAMP)
	@rm -rf $(AUDIT_VENV)
	@$(PYTHON_IN_VENV) -m venv $(AUDIT_VENV)
	@echo "installing from $(AUDIT_LOCK)"
	@$(AUDIT_VENV)/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r $(AUDIT_LOCK)
	@touch $(AUDIT_STAMP)

# CISA's catalog of exploited vulnerabilities, fetched each time: an old copy would say too little.
.PHONY: build/kev.json
build/kev.json:
	@mkdir -p build
	@curl --fail --silent --show-error --location --proto '=https' --max-time 120 --retry 3 --output $@ \
		https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json

##@ Release it (in the release workflow only)

.PHONY: release-check
release-check: ## RELEASE_TAG=v1.2.3 is the version of pyproject.toml and of the chart, is on main, and this is the place
	@python3 -m supply_chain.release check

.PHONY: image-save
image-save: ## Write the image that `make image` built to build/image/image.tar, from where it is scanned and pushed
	@python3 -m supply_chain.release image-save

.PHONY: image-push
image-push: ## Push build/image/image.tar as RELEASE_TAG
	@python3 -m supply_chain.release image-push

.PHONY: image-sign
image-sign: ## Sign the pushed image DIGEST=sha256:... with the job's identity (cosign)
	@python3 -m supply_chain.release image-sign

.PHONY: image-verify
image-verify: ## Verify signature, provenance and SBOM of DIGEST=sha256:... as whoever deploys it should (cosign)
	@python3 -m supply_chain.release image-verify

.PHONY: chart-package
chart-package: helm-tools ## Package the chart into build/chart
	@mkdir -p build/chart
	@$(VENV)/helm-tool/helm package helm/querygateway --destination build/chart

.PHONY: chart-push
chart-push: ## Push the chart of build/chart
	@python3 -m supply_chain.release chart-push

.PHONY: chart-sign
chart-sign: ## Sign the pushed chart with the job's identity (cosign)
	@python3 -m supply_chain.release chart-sign

.PHONY: chart-verify
chart-verify: ## Verify signature and provenance of the chart DIGEST=sha256:... as whoever installs it should (cosign)
	@python3 -m supply_chain.release chart-verify

.PHONY: release-files
release-files: ## Checksums of build/release, with the image's DIGEST beside them
	@python3 -m supply_chain.release files

.PHONY: release-publish
release-publish: ## Make the release page of RELEASE_TAG with what is in build/release (gh)
	@python3 -m supply_chain.release publish
