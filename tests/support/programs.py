"""Programs made for a test: shell scripts that answer as the real ones did, and write down what they were asked."""

from pathlib import Path


def make_program(folder: Path, name: str, script: str) -> Path:
    """An executable `name` in `folder` that runs `script` with `sh`."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program
