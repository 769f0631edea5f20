# For whoever audits the gateway: the tests that docs/security_checklist.md names, the figures of docs/trust_ledger.md.

CONTROL ?=

##@ Audit it

.PHONY: checklist
checklist: $(STAMP) ## Run the tests that the security checklist names (CONTROL=C604: those of one control, C6: of one area)
	@$(VENV)/bin/pytest $$($(PYTHON_IN_VENV) -m tests.unit.docs.checklist $(CONTROL)) -n $(PYTEST_WORKERS) --dist loadfile

.PHONY: ledger
ledger: $(STAMP) ## Print what the trust ledger has to say of each direct dependency, as far as it can be computed
	@$(PYTHON_IN_VENV) -m tests.unit.docs.packages
