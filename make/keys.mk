##@ Rotate it

.PHONY: rotation
rotation: $(STAMP) ## Rotate all four keys of a running gateway under load, and every test of a rotation
	@$(VENV)/bin/pytest tests/e2e/test_key_rotation.py tests/integration/rotation -s
