"""The event log: levels, verbosity, colours, hostile text, listeners, and the bridge from :mod:`logging`."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from flowdump.runtime.log import ALERT, LEVELS, EventLog, LogEntry, bridge_logging, coloured


def printed(*entries: tuple[Any, str], **settings: Any) -> str:
    stream = io.StringIO()
    log = EventLog(stream, **settings)
    for text, level in entries:
        log(text, level)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("verbosity", "shown"),
    [
        ("debug", ["debug", "info", "alert", "warn", "error"]),
        ("info", ["info", "alert", "warn", "error"]),
        ("alert", ["alert", "warn", "error"]),
        ("warn", ["warn", "error"]),
        ("error", ["error"]),
    ],
)
def test_verbosity(verbosity: str, shown: list[str]) -> None:
    assert printed(*((level, level) for level in LEVELS), verbosity=verbosity).split() == shown
    stream = io.StringIO()
    log = EventLog(stream, verbosity="error")
    log.set_verbosity(verbosity)
    for level in LEVELS:
        log(level, level)
    assert stream.getvalue().split() == shown


def test_methods_for_each_level() -> None:
    log, seen = EventLog(io.StringIO()), []
    log.listener = seen.append
    for name in ("debug", "info", "alert", "warn", "warning", "error"):
        getattr(log, name)(name)
    log("plain")
    log(5, "critical")
    log("odd", "no such level")
    assert seen == [
        LogEntry("debug", "debug"),
        LogEntry("info", "info"),
        LogEntry("alert", "alert"),
        LogEntry("warn", "warn"),
        LogEntry("warning", "warn"),
        LogEntry("error", "error"),
        LogEntry("plain", "info"),
        LogEntry("5", "error"),
        LogEntry("odd", "info"),
    ]


def test_listeners_hear_what_is_not_printed() -> None:
    stream, seen = io.StringIO(), []
    log = EventLog(stream, verbosity="error")
    log.listener = seen.append
    log.debug("quiet")
    assert stream.getvalue() == ""
    assert seen == [LogEntry(msg="quiet", level="debug")]


def test_colours() -> None:
    assert printed(("a", "error"), ("b", "info"), colour=True) == "\x1b[31ma\x1b[0m\nb\n"
    assert printed(("a", "warn"), ("b", "alert"), colour=True) == "\x1b[33ma\x1b[0m\n\x1b[35mb\x1b[0m\n"
    assert printed(("a", "error")) == "a\n"


def test_control_characters_reach_no_terminal() -> None:
    text = printed(("a\x1b[31m\x07\rb\nc\x9b", "error"))
    assert [c for c in text if not c.isprintable()] == ["\n", "\n"]
    assert text.startswith("a")


def test_before_print() -> None:
    order: list[str] = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            order.append(text)
            return len(text)

    log = EventLog(Stream(), verbosity="warn")
    log.before_print = lambda: order.append("cleared")
    log.info("hidden")
    log.warn("shown")
    assert order == ["cleared", "shown\n"]


class Closed(io.StringIO):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(28, "no space left"), ValueError("closed file")])
def test_a_closed_stream_ends_nothing(error: Exception) -> None:
    log, seen = EventLog(Closed(error)), []
    log.listener = seen.append
    log.error("x")
    assert seen == [LogEntry("x", "error")]


def test_stderr_is_where_it_goes(capsys: pytest.CaptureFixture[str]) -> None:
    EventLog()("x")
    assert capsys.readouterr() == ("", "x\n")


# -- the bridge --------------------------------------------------------------------------------------------------


@pytest.fixture
def bridged() -> Iterator[list[LogEntry]]:
    log, seen = EventLog(io.StringIO()), list[LogEntry]()
    log.listener = seen.append
    undo = bridge_logging(log)
    yield seen
    undo()


@pytest.mark.parametrize(
    ("number", "level"),
    [(5, "debug"), (10, "debug"), (20, "info"), (21, "alert"), (30, "warn"), (40, "error"), (50, "error")],
)
def test_levels_of_logging(bridged: list[LogEntry], number: int, level: str) -> None:
    root = logging.getLogger()
    if number < root.level:
        root.setLevel(1)
    logging.log(number, "%s!", "text")
    assert [entry for entry in bridged if "text" in entry.msg] == [LogEntry("text!", level)]


def test_tracebacks_come_along(bridged: list[LogEntry]) -> None:
    try:
        raise ZeroDivisionError("oops")
    except ZeroDivisionError:
        logging.exception("failed")
    assert bridged[-1].level == "error"
    assert bridged[-1].msg.startswith("failed\nTraceback")
    assert "ZeroDivisionError: oops" in bridged[-1].msg


def test_named_loggers_and_alert(bridged: list[LogEntry]) -> None:
    logging.getLogger("some.script").log(ALERT, "look")
    assert bridged[-1] == LogEntry("look", "alert")
    assert logging.getLevelName(ALERT) == "ALERT"


def test_the_bridge_can_be_taken_down() -> None:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    log, seen = EventLog(io.StringIO()), []
    log.listener = seen.append
    undo = bridge_logging(log)
    assert root.level == logging.DEBUG
    undo()
    logging.warning("nobody hears this")
    assert seen == []
    assert (root.level, root.handlers) == (level, handlers)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({"TERM": "xterm"}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colours_suit_a_terminal_that_has_them(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: bool
) -> None:
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    terminal = io.StringIO()
    assert not coloured(terminal)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    assert coloured(terminal) is expected
