"""The event log: what flowdump and scripts have to say besides flows. It goes to stderr, coloured on a terminal.

Scripts reach it as ``ctx.log.info(…)`` and through the standard :mod:`logging` module.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, TextIO

from flowdump.escaping import escape_controls

#: Severity of each level, as in :mod:`logging`; ``alert`` is information for people's eyes.
LEVELS = {"debug": 10, "info": 20, "alert": 21, "warn": 30, "error": 40}
ALERT = LEVELS["alert"]

_COLOURS = {"debug": "2", "alert": "35", "warn": "33", "error": "31"}


def coloured(stream: TextIO) -> bool:
    """Whether to use colours on a stream: on a terminal that has them, unless NO_COLOR is set (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class LogEntry(NamedTuple):
    """One line of the log: its text and its level."""

    msg: str
    level: str


class EventLog:
    """Prints entries at or above ``verbosity`` and hands every entry to ``listener``, if one is set."""

    def __init__(self, stream: TextIO | None = None, verbosity: str = "info", colour: bool = False) -> None:
        self._stream = stream
        self._threshold = LEVELS[verbosity]
        self._colour = colour
        self.listener: Callable[[LogEntry], None] | None = None
        #: Called before something is printed, to take a progress bar off the screen.
        self.before_print: Callable[[], None] | None = None

    def set_verbosity(self, verbosity: str) -> None:
        self._threshold = LEVELS[verbosity]

    def __call__(self, text: Any, level: str = "info") -> None:
        """Log ``text`` at a level (``warning`` counts as ``warn``; an unknown level as info)."""
        level = {"warning": "warn", "critical": "error"}.get(level, level)
        level = level if level in LEVELS else "info"
        text = str(text)
        if LEVELS[level] >= self._threshold:
            self._print(text, level)
        listener, self.listener = self.listener, None  # a listener that logs is not told of that
        if listener is not None:
            try:
                listener(LogEntry(text, level))
            finally:
                self.listener = listener

    def _print(self, text: str, level: str) -> None:
        if self.before_print is not None:
            self.before_print()
        stream = self._stream or sys.stderr
        lines = "\n".join(escape_controls(line) for line in text.split("\n"))
        if self._colour and level in _COLOURS:
            lines = f"\x1b[{_COLOURS[level]}m{lines}\x1b[0m"
        try:
            stream.write(lines + "\n")
            stream.flush()
        except (OSError, ValueError):
            return  # stderr has no reader any more; the run goes on

    def debug(self, text: Any) -> None:
        self(text, "debug")

    def info(self, text: Any) -> None:
        self(text, "info")

    def alert(self, text: Any) -> None:
        self(text, "alert")

    def warn(self, text: Any) -> None:
        self(text, "warn")

    def error(self, text: Any) -> None:
        self(text, "error")

    warning = warn


def bridge_logging(log: EventLog) -> Callable[[], None]:
    """Let records of the standard :mod:`logging` module appear in ``log``. Returns a function that undoes it."""
    import logging

    class Bridge(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            log(self.format(record), _level_of(record.levelno))

    bridge = Bridge()
    root = logging.getLogger()
    old_level = root.level
    root.addHandler(bridge)
    root.setLevel(logging.DEBUG)
    # Libraries of ours that tell every step at this level: hpack each header of HTTP/2, which takes longer than HTTP/2.
    for name in ("asyncio", "hpack"):
        logging.getLogger(name).setLevel(logging.INFO)
    logging.addLevelName(ALERT, "ALERT")

    def undo() -> None:
        root.removeHandler(bridge)
        root.setLevel(old_level)

    return undo


def _level_of(number: int) -> str:
    level = "debug"
    for name, severity in LEVELS.items():
        if number >= severity:
            level = name
    return level
