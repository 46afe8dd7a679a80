"""``mitmproxy.utils.asyncio_utils`` and ``mitmproxy.utils.sliding_window``: tasks, and items with their neighbours."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

#: The event loop keeps weak references to its tasks only.
_TASKS: set[asyncio.Task[Any]] = set()


def create_task(
    coro: Coroutine[Any, Any, T], *, name: str, keep_ref: bool = True, client: Any = None
) -> asyncio.Task[T]:
    """Start a task in the running loop; ``keep_ref`` keeps it alive until it is done."""
    task = asyncio.get_running_loop().create_task(coro, name=name)
    if keep_ref:
        _TASKS.add(task)
        task.add_done_callback(_TASKS.discard)
    return task


def window(iterator: Iterable[T], behind: int = 0, ahead: int = 0) -> Iterator[tuple[T | None, ...]]:
    """Yield each item between its neighbours; None stands beyond either end."""
    items: list[T | None] = list(iterator)
    padded: list[T | None] = [*[None] * behind, *items, *[None] * ahead]
    for i in range(len(items)):
        yield tuple(padded[i : i + behind + 1 + ahead])
