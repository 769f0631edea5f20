"""The bridge from the standard library's `logging` to our log: library messages become JSON, redacted like the rest."""

import logging
import traceback

from qg_telemetry.events import Level, LibraryLogged
from qg_telemetry.log import Log

LIBRARY_LEVEL = logging.WARNING
"""Below it libraries chat: SQLAlchemy's INFO holds statements with their parameters."""

_OURS = tuple(Level)


class LibraryLogHandler(logging.Handler):
    """Turns records into `LibraryLogged` events. Never raises."""

    def __init__(self, log: Log) -> None:
        super().__init__(LIBRARY_LEVEL)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 -- a library's wrong format arguments must not break its caller
            message = str(record.msg)
        lines = None
        if record.exc_info and record.exc_info[0] is not None:
            lines = "".join(traceback.format_exception(*record.exc_info))
        self._log.write(LibraryLogged(logger=record.name, message=message, traceback=lines), level_of(record.levelno))


def level_of(number: int) -> Level:
    """Our level for a number of the standard library's."""
    return max((level for level in _OURS if level <= number), default=Level.DEBUG)


def take_over_logging(log: Log) -> None:
    """Send everything that libraries log (and Python's warnings) to `log`, and nothing anywhere else."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(LibraryLogHandler(log))
    root.setLevel(LIBRARY_LEVEL)
    for logger in logging.Logger.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.handlers.clear()
            logger.propagate = True
            logger.setLevel(logging.NOTSET)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False
