# The tests that docs/security_checklist.md names: for whoever audits the gateway.

CONTROL ?=

##@ Audit it

.PHONY: checklist
checklist: $(STAMP) ## Run the tests that the security checklist names (CONTROL=C604: those of one control, C6: of one area)
	@$(VENV)/bin/pytest $$($(PYTHON_IN_VENV) -m tests.unit.docs.checklist $(CONTROL)) -n $(PYTEST_WORKERS) --dist loadfile
