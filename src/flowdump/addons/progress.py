"""A progress bar on stderr, by the bytes that were read, for runs that take longer than a second."""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from flowdump.formats import Input

#: To the beginning of the line, erase it, and show the cursor again, which click hides.
ERASE = "\r\x1b[K\x1b[?25h"

#: Seconds before the bar appears, and between two drawings.
PATIENCE, INTERVAL = 1.0, 0.1


class Progress:
    """Draws itself on ``stream``, a terminal, when ``update`` is called; ``clear`` takes it off before other output."""

    def __init__(self, inputs: list[Input], stream: TextIO) -> None:
        self._inputs = inputs
        self._stream = stream
        self._started = self._due = time.monotonic()
        self._due += PATIENCE
        self._bar: Any = None
        #: How far each input was read; one that is closed cannot tell any more.
        self._reached: dict[Input, int] = {}
        self._read = 0
        self._drawn = False
        sizes = [opened.size for opened in inputs]
        self._total = sum(size for size in sizes if size is not None) if None not in sizes else 0

    def update(self, flows: int) -> None:
        """Draw, unless it is too early for that. ``flows`` is how many were read."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + INTERVAL
        if self._bar is None:
            self._bar = self._make(now)
        for opened in self._inputs:
            self._reached[opened] = max(opened.tell(), self._reached.get(opened, 0))
        read = sum(self._reached.values())
        step, self._read = read - self._read, read
        self._bar.update(step, f"{flows} flows, {flows / max(now - self._started, 0.001):.0f}/s")
        self._bar.render_progress()
        self._drawn = True

    def _make(self, now: float) -> Any:
        """Without a total (a pipe) there is no time left to tell, and the bar only moves."""
        bar: Any = click.progressbar(
            None if self._total else count(),  # click asks for something without an end where no length is known
            length=self._total or None,
            file=self._stream,
            show_eta=bool(self._total),
            show_percent=bool(self._total),
            item_show_func=lambda text: text,
        )
        # click has the clock begin when the bar is made; what was read before counts too.
        bar.start = bar.last_eta = time.time() - (now - self._started)
        return bar

    def clear(self) -> None:
        """Take the bar off the screen until the next drawing, which comes when nothing was printed for a while."""
        if self._drawn:
            self._stream.write(ERASE)
            self._stream.flush()
            self._drawn = False

    def finish(self) -> None:
        self.clear()
