"""The progress bar: alone, with a clock of its own, and once for real, on a pseudo-terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.flows import ROOT, environment, http_flow, record

from flowdump.addons import progress
from flowdump.addons.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Opened:
    """An input of which a test says how far it was read."""

    def __init__(self, size: int | None) -> None:
        self.size = size
        self.read = 0

    def tell(self) -> int:
        return self.read


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(progress.time, "time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def make(*sizes: int | None) -> tuple[Any, Terminal, list[Any]]:
    inputs: list[Any] = [Opened(size) for size in sizes]
    terminal = Terminal()
    return Progress(inputs, terminal), terminal, inputs


def last(terminal: Terminal) -> str:
    return terminal.getvalue().rpartition("\r")[2].rstrip()


def test_nothing_within_the_first_second(clock: Clock) -> None:
    bar, terminal, _ = make(1000)
    clock.now += 0.99
    bar.update(5)
    bar.finish()
    assert terminal.getvalue() == ""


def test_share_speed_and_time_left(clock: Clock) -> None:
    bar, terminal, (one, two) = make(600, 400)
    one.read = 250
    clock.now += 2
    bar.update(50)
    assert re.search(r"\[#+-+\] +25% .*50 flows, 25/s$", last(terminal))
    one.read, two.read = 600, 0
    clock.now += 1
    bar.update(200)
    one.read, two.read = 0, 150  # the first one is closed, and cannot tell any more
    clock.now += 3
    bar.update(300)
    assert re.search(r"\] +75%  00:00:0[12]  300 flows, 50/s$", last(terminal))


def test_not_more_often_than_ten_times_a_second(clock: Clock) -> None:
    bar, terminal, _ = make(1000)
    clock.now += 2
    bar.update(1)
    drawn = terminal.getvalue()
    clock.now += 0.09
    bar.update(2)
    assert terminal.getvalue() == drawn
    clock.now += 0.02
    bar.update(3)
    assert "3 flows" in terminal.getvalue()


def test_a_pipe_has_no_end_in_sight(clock: Clock) -> None:
    bar, terminal, _ = make(1000, None)
    clock.now += 2
    bar.update(10)
    assert "10 flows, 5/s" in last(terminal)
    assert "%" not in terminal.getvalue()
    assert not re.search(r"\d\d:\d\d:\d\d", terminal.getvalue())


def test_clear_takes_it_off_until_the_next_drawing(clock: Clock) -> None:
    bar, terminal, _ = make(1000)
    clock.now += 2
    bar.update(1)
    bar.clear()
    assert terminal.getvalue().endswith("\r\x1b[K\x1b[?25h")
    length = len(terminal.getvalue())
    bar.clear()
    assert len(terminal.getvalue()) == length
    clock.now += 1
    bar.update(2)
    assert "2 flows" in last(terminal)
    bar.finish()
    assert terminal.getvalue().endswith("\r\x1b[K\x1b[?25h")


def test_more_was_read_than_there_was(clock: Clock) -> None:
    """A file that grows while it is read."""
    bar, terminal, (one,) = make(100)
    clock.now += 2
    one.read = 250
    bar.update(1)
    assert "100%" in terminal.getvalue()


def test_a_run_on_a_terminal(tmp_path: Path) -> None:
    """A slow input, stderr on a pseudo-terminal: the bar comes after a second, and is gone in the end."""
    main, side = pty.openpty()
    command = [sys.executable, "-m", "flowdump", "-r", "-", "-w", str(tmp_path / "out"), "--flow-detail", "0"]
    # TERM and a width, as on a terminal; click asks for the latter.
    env = environment(TERM="xterm", COLUMNS="80", LINES="25")
    run = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=side, env=env, cwd=ROOT
    )  # fmt: skip
    os.close(side)
    assert run.stdin is not None
    data, begun, seen = record(http_flow()), time.monotonic(), b""
    while time.monotonic() - begun < 60 and b"flows" not in seen:
        run.stdin.write(data)
        run.stdin.flush()
        ready, _, _ = select.select([main], [], [], 0.03)
        seen += os.read(main, 10_000) if ready else b""
    took = time.monotonic() - begun
    run.stdin.close()
    while True:
        try:
            chunk = os.read(main, 10_000)
        except OSError:  # that is how Linux says that the other side is closed
            break
        if not chunk:
            break
        seen += chunk
    assert run.wait(60) == 0
    os.close(main)
    assert took >= 1
    text = seen.decode()
    assert re.search(r"\d+ flows, \d+/s", text)
    assert text.endswith("\r\x1b[K\x1b[?25h")
