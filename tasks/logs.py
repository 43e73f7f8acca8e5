"""What a run's log shows of the library's errors: one line, without a traceback, for a user's mistake."""

import logging

from geolocate.errors import GeolocateError

_RUN_LOGGERS = ("prefect.flow_runs", "prefect.task_runs")


class OneLine(logging.Filter):
    """Take the traceback from a record whose exception already says the value, what is allowed and what to do."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, some of them shortened."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, GeolocateError):
            record.exc_info = None
        return True


def shorten_errors() -> None:
    """Filter the loggers of runs; doing it again changes nothing."""
    for name in _RUN_LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(present, OneLine) for present in logger.filters):
            logger.addFilter(OneLine())
