"""``mitmproxy.log``: handlers of the :mod:`logging` module that scripts and programs subclass, and levels."""

from __future__ import annotations

import logging
import time


class MitmFormatter(logging.Formatter):
    """``[12:34:56.789] text``, with the time of day."""

    def __init__(self, colorize: bool = False) -> None:
        super().__init__("%(message)s")

    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        return f"[{clock}.{int(record.msecs):03}] {super().format(record)}"


class MitmLogHandler(logging.Handler):
    """A handler that receives every record between ``install()`` and ``uninstall()``."""

    def install(self) -> None:
        logging.getLogger().addHandler(self)

    def uninstall(self) -> None:
        logging.getLogger().removeHandler(self)


#: The levels, from the most severe on; two of them have the same tier.
LogLevels = ["error", "warn", "info", "alert", "debug"]


def log_tier(level: str) -> int | None:
    """The rank of a level: 0 is the most severe. None for an unknown level."""
    return {"error": 0, "warn": 1, "info": 2, "alert": 2, "debug": 3}.get(level)
