"""``@concurrent``: run a handler in a thread of its own, so that only its flow waits for it."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine
from typing import Any


def concurrent(handler: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, None]]:
    """Decorate an event handler that blocks (sleeps, fetches, computes).

    Each call gets a new thread: a pool would let the slow ones hold up the rest. ``ctx`` and other flows are not to be
    touched in there.
    """

    @functools.wraps(handler)
    async def in_thread(*arguments: Any) -> None:
        loop = asyncio.get_running_loop()
        finished: asyncio.Future[None] = loop.create_future()

        def run() -> None:
            try:
                handler(*arguments)
            except BaseException as error:  # whatever it is, the waiting flow must hear of it
                loop.call_soon_threadsafe(_fail, finished, error)
            else:
                loop.call_soon_threadsafe(_succeed, finished)

        threading.Thread(target=run, name=f"concurrent {handler.__name__}", daemon=True).start()
        await finished

    return in_thread


def _succeed(finished: asyncio.Future[None]) -> None:
    if not finished.done():
        finished.set_result(None)


def _fail(finished: asyncio.Future[None], error: BaseException) -> None:
    if not finished.done():
        finished.set_exception(error)
