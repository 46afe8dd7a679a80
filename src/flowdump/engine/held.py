"""Flows that wait because a script holds them: what ``flow.live`` is, and how events of a flow are fired."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from flowdump.engine.errors import Killed
from flowdump.flow import Error
from flowdump.runtime.hooks import fire

if TYPE_CHECKING:
    from flowdump.engine.listen.proxy import Hooks
    from flowdump.runtime.hooks import Handler


class Held:
    """What flows tell about ``intercept()``, ``resume()`` and ``kill()``, the latter two from any thread.

    A session is one, for the flows of its connection; a UDP listener has one.
    """

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

    def kill(self, flow: Any) -> None:
        """A flow that was killed goes on too: it finds out by itself."""
        self.resume(flow)

    def _release(self, identifier: str) -> None:
        event = self._waiting.get(identifier)
        if event is not None:
            event.set()


def raise_if_killed(flow: Any) -> None:
    """Raises Killed if somebody has killed the flow."""
    if flow.error is not None and flow.error.msg == Error.KILLED_MESSAGE:
        raise Killed(flow.error.msg)


async def fire_and_wait(hooks: Hooks, name: str, flow: Any, held: Held) -> None:
    """Tell the addons of an event of a flow; hold the flow while it is intercepted. Raises Killed if it was killed."""
    table = hooks.table
    handlers: tuple[Handler, ...] = getattr(table, name)
    if handlers:
        await fire(handlers, flow)
    if flow.intercepted:
        await held.wait_for_resume(flow)
    raise_if_killed(flow)
    if table.update:
        await fire(table.update, [flow])
