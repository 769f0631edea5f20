##@ The Helm chart

.PHONY: helm-tools
helm-tools: $(STAMP) ## Fetch the helm that checks the chart (pinned with its hash, for development alone)
	@$(PYTHON_IN_VENV) -m helm.checks.helm_tool

.PHONY: helm-check
helm-check: helm-tools ## Lint, render and check the chart; run a release of it as processes (a minute; docs in helm/querygateway)
	@$(PYTHON_IN_VENV) -m helm.checks

.PHONY: helm-docs
helm-docs: $(STAMP) ## Write the chart's README anew from its values
	@$(PYTHON_IN_VENV) -m helm.checks.readme
