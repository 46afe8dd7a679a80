"""``script_errors=kill``: what becomes of a flow when a handler of it raised.

Half a change is worse than none where a script takes secrets out or keeps clients away from something. So the flow is
given up: a client that has no head of an answer yet gets a 502, any other connection is cut, and a saved flow is left
out of what is written.
"""

from __future__ import annotations

from typing import Any

from flowdump import ctx
from flowdump.exceptions import ControlException, FlowGivenUp
from flowdump.flow import Flow

_ANSWER = "a script of the proxy failed while it handled this exchange"


def condemn(event: str, arguments: tuple[Any, ...]) -> None:
    """Give up the flow that a handler of ``event`` was called with, if the option says so.

    Raises FlowGivenUp for one that was saved.
    """
    flow = arguments[-1] if arguments else None
    if ctx.options.script_errors != "kill" or not isinstance(flow, Flow) or event in ("error", "done"):
        return
    if not flow.live:
        raise FlowGivenUp(f"flow {flow.id} is left out: a handler of it raised")
    answerable = event in ("requestheaders", "request", "http_connect")
    if event == "response" and getattr(flow, "websocket", None) is None:
        answerable = flow.response is not None and flow.response.data.content is not None  # type: ignore[attr-defined]
    if answerable:
        from flowdump.http.flow import Response

        flow.response = Response.make(502, _ANSWER, {"Content-Type": "text/plain"})  # type: ignore[attr-defined]
        return
    try:
        flow.kill()
    except ControlException:  # it was killed already
        return
