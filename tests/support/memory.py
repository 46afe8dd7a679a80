"""What is allocated while something runs."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def traced() -> Iterator[Callable[[], tuple[int, int]]]:
    """Gives what tells how many bytes are allocated from here on: now, and at the most."""
    tracemalloc.start()
    try:
        yield tracemalloc.get_traced_memory
    finally:
        tracemalloc.stop()  # whatever failed, other tests start afresh
