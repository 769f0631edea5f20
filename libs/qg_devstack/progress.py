"""Lines that say what happens and when: `make dev` shows them while it starts."""

import time
from typing import TextIO


class Progress:
    """Writes `[ 1.2 s] text` lines; seconds since it was made."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._started = time.monotonic()

    def say(self, text: str) -> None:
        """One line with the time; a terminal that went away does not stop the stack."""
        self.show(f"[{time.monotonic() - self._started:5.1f} s] {text}")

    def show(self, text: str) -> None:
        """Text without the time."""
        try:
            print(text, file=self._stream, flush=True)
        except OSError:
            return
