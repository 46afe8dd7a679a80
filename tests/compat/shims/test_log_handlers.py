"""``mitmproxy.log``: handlers of the logging module, and levels."""

from __future__ import annotations

import logging
import re
from importlib import import_module

import pytest

pytestmark = pytest.mark.usefixtures("installed")


def test_installed_handlers_receive_formatted_records() -> None:
    log = import_module("mitmproxy.log")
    seen: list[str] = []

    class Handler(log.MitmLogHandler):  # type: ignore[misc,name-defined]
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(self.format(record))

    handler = Handler()
    handler.setFormatter(log.MitmFormatter(colorize=False))
    handler.install()
    try:
        logging.error("it is %s", "so")
    finally:
        handler.uninstall()
    logging.error("not this")
    (line,) = seen
    assert re.fullmatch(r"\[\d\d:\d\d:\d\d\.\d{3}\] it is so", line)


def test_levels_have_tiers() -> None:
    log = import_module("mitmproxy.log")
    assert [log.log_tier(level) for level in (*log.LogLevels, "other")] == [0, 1, 2, 2, 3, None]
