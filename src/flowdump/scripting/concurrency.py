"""``@concurrent``: run a handler in a thread of its own, so that only its flow waits for it."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any


def concurrent(handler: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, None]]:
    """Decorate an event handler that blocks (sleeps, fetches, computes).

    Each call gets a new thread: a pool would let the slow ones hold up the rest. ``ctx`` and other flows are not to be
    touched in there. Raises TypeError for an ``async def``, which has no need of a thread.
    """
    name = getattr(handler, "__name__", "handler")
    if inspect.iscoroutinefunction(handler):
        raise TypeError(f"@concurrent is for plain functions: {name} is async, and nothing has to wait for it anyway")

    @functools.wraps(handler)
    async def in_thread(*arguments: Any) -> None:
        loop = asyncio.get_running_loop()
        finished: asyncio.Future[BaseException | None] = loop.create_future()

        def run() -> None:
            error = None
            try:
                handler(*arguments)
            except BaseException as raised:  # every failure must reach the waiting flow
                error = raised
            with suppress(RuntimeError):  # the loop was closed meanwhile, and the flow with it
                loop.call_soon_threadsafe(_finish, finished, error)

        await asyncio.sleep(0)  # the first step has the sys.argv of the script, which is not for threads
        threading.Thread(target=run, name=f"concurrent {name}", daemon=True).start()
        error = await finished
        # As a result and not as the exception of the future, which could not be a StopIteration.
        if error is not None:
            raise error

    return in_thread


def _finish(finished: asyncio.Future[BaseException | None], error: BaseException | None) -> None:
    if not finished.done():
        finished.set_result(error)
