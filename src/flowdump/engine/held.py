"""Flows that wait because a script holds them, and what ``flow.live`` is for flows that belong to no TCP connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from flowdump.engine.errors import Killed
from flowdump.flow import Error
from flowdump.hooks import fire

if TYPE_CHECKING:
    from flowdump.engine.proxy import Hooks
    from flowdump.hooks import Handler


class Held:
    """What flows tell about ``intercept()``, ``resume()`` and ``kill()``, the latter two from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, asyncio.Event] = {}

    async def wait_for_resume(self, flow: Any) -> None:
        """Hold a flow until somebody resumes or kills it."""
        while flow.intercepted:
            event = self._waiting[flow.id] = asyncio.Event()
            try:
                await event.wait()
            finally:
                self._waiting.pop(flow.id, None)

    def intercept(self, flow: Any) -> None:
        """The flow is marked; the next event of it waits."""

    def resume(self, flow: Any) -> None:
        """Let a held flow go on."""
        self._loop.call_soon_threadsafe(self._release, flow.id)

    kill = resume

    def _release(self, identifier: str) -> None:
        event = self._waiting.get(identifier)
        if event is not None:
            event.set()


async def fire_and_wait(hooks: Hooks, name: str, flow: Any, held: Any) -> None:
    """Tell the addons of an event of a flow; hold the flow while it is intercepted. Raises Killed if it was killed."""
    table = hooks.table
    handlers: tuple[Handler, ...] = getattr(table, name)
    if handlers:
        await fire(handlers, flow)
    if flow.intercepted:
        await held.wait_for_resume(flow)
    if flow.error is not None and flow.error.msg == Error.KILLED_MESSAGE:
        raise Killed(flow.error.msg)
    if table.update:
        await fire(table.update, [flow])
