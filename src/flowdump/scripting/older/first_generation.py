"""What only scripts of the first generation get: a ``ScriptContext``, and requests as they were up to mitmproxy 0.17.

``request.pretty_host`` was a method then and is a property now. While a handler of such a script runs, the request of
its flow is a ``FirstRequest``, where both work; other addons never see it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakSet

from flowdump import ctx
from flowdump.http.flow import HTTPFlow, Request


class ScriptContext:
    """The first argument of every handler of the first generation; scripts keep what they like on it."""

    def __init__(self) -> None:
        self._sent: WeakSet[Any] = WeakSet()

    def log(self, message: Any, level: str = "info") -> None:
        """Write to the event log."""
        ctx.log(message, level)

    def kill_flow(self, flow: Any) -> None:
        """Raises ControlException when the flow is not killable."""
        flow.kill()

    def duplicate_flow(self, flow: Any) -> Any:
        """An independent copy, to be changed and sent with ``replay_request``."""
        return flow.copy()

    def replay_request(self, flow: Any) -> None:
        """Send the request of a flow (again). Raises CommandError.

        Other addons hear of it as of every flow; this script does not, as it did not then: its ``request`` would send
        the next one, and so on for ever.
        """
        ctx.master.commands.call("replay.client", [flow])
        if not flow.live:
            self._sent.add(flow)

    def has_sent(self, flow: Any) -> bool:
        """Whether a flow is one that this script sends by itself."""
        return flow in self._sent


class CallableText(str):
    """Text that was the result of a method: ``request.pretty_host`` and ``request.pretty_host(hostheader=True)``."""

    __slots__ = ("_plain",)
    _plain: str

    def __call__(self, hostheader: bool = True) -> str:
        return str(self) if hostheader else self._plain


def _callable_text(text: str, plain: str) -> CallableText:
    made = CallableText(text)
    made._plain = plain
    return made


class FirstRequest(Request):
    """A request as a handler of the first generation sees it."""

    @property
    def pretty_host(self) -> str:
        return _callable_text(super().pretty_host, self.host)

    @property
    def pretty_url(self) -> str:
        return _callable_text(super().pretty_url, self.url)


def calling(handler: Callable[..., Any], flow: Any) -> Awaitable[None] | None:
    """Call a handler about a flow whose request is a ``FirstRequest`` until the handler is through."""
    request = flow.request if isinstance(flow, HTTPFlow) else None
    if type(request) is not Request:
        return handler()  # type: ignore[no-any-return]
    request.__class__ = FirstRequest
    waiting = None
    try:
        waiting = handler()
    finally:
        if not hasattr(waiting, "__await__"):
            request.__class__ = Request
    return _until_done(waiting, request) if request.__class__ is FirstRequest else None


async def _until_done(waiting: Any, request: Request) -> None:
    try:
        await waiting
    finally:
        request.__class__ = Request
