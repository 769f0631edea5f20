##@ The Helm chart

.PHONY: helm-tools
helm-tools: $(STAMP) ## Fetch the helm and the schemas that check the chart (pinned with their hashes, for development alone)
	@$(PYTHON_IN_VENV) -m helm.checks.helm_tool

.PHONY: helm-check
helm-check: helm-tools ## Lint, render and check the chart; run a release of it as processes (a minute; docs in helm/querygateway)
	@$(VENV)/bin/pytest -q tests/unit/helm/test_object_schemas.py
	@$(PYTHON_IN_VENV) -m helm.checks

.PHONY: helm-docs
helm-docs: $(STAMP) ## Write the chart's README anew from its values
	@$(PYTHON_IN_VENV) -m helm.checks.readme
