"""Handlers of the :mod:`logging` module, as scripts and programs subclass them."""

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
    """A handler that hears of everything between ``install()`` and ``uninstall()``."""

    def install(self) -> None:
        logging.getLogger().addHandler(self)

    def uninstall(self) -> None:
        logging.getLogger().removeHandler(self)
