"""A progress bar on stderr, by the bytes that were read, for runs that take longer than a second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from flowdump.formats import Input

#: Seconds before the bar appears, and between two drawings.
PATIENCE, INTERVAL = 1.0, 0.1


class Progress:
    """Draws itself on ``stream``, a terminal, when ``update`` is called; ``clear`` takes it off before other output."""

    def __init__(self, inputs: list[Input], stream: TextIO) -> None:
        self._inputs = inputs
        self._stream = stream
        self._started = self._drawn_at = time.monotonic()
        self._bar: Any = None
        self._drawn = False
        self._flows = 0
        sizes = [opened.size for opened in inputs]
        self._total = sum(size for size in sizes if size is not None) if None not in sizes else 0

    def update(self, flows: int) -> None:
        """Draw, unless it is too early for that."""
        now = time.monotonic()
        self._flows = flows
        if now - self._started < PATIENCE or now - self._drawn_at < INTERVAL:
            return
        self._drawn_at = now
        read = sum(opened.tell() for opened in self._inputs)
        if self._bar is None:
            self._bar = click.progressbar(
                length=self._total or None,
                file=self._stream,
                show_eta=bool(self._total),
                show_percent=bool(self._total),
                item_show_func=lambda _: (
                    f"{self._flows} flows, {self._flows / max(self._drawn_at - self._started, 0.001):.0f}/s"
                ),
            )
            self._bar.start = self._bar.last_eta = time.time() - (now - self._started)
        self._bar.make_step(max(read - self._bar.pos, 0))
        self._bar.render_progress()
        self._drawn = True

    def clear(self) -> None:
        """Take the bar off the screen until the next drawing."""
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._drawn = False
            if self._bar is not None:
                self._bar._last_line = None

    def finish(self) -> None:
        self.clear()
