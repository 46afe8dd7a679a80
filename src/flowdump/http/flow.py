"""HTTP flows: ``Request``, ``Response`` and ``HTTPFlow``, the objects that most scripts are about.

Bodies, headers and times are in :mod:`flowdump.http.message`, what only a request or only a response has in
:mod:`flowdump.http.request` and :mod:`flowdump.http.response`; scripts import all of it from here.
"""

from __future__ import annotations

from typing import Any

from flowdump.flow import Error, Flow
from flowdump.http.headers import Headers
from flowdump.http.message import Message
from flowdump.http.request import Request, RequestData
from flowdump.http.response import Response, ResponseData
from flowdump.websocket import WebSocketData

__all__ = ["HTTPFlow", "Headers", "Message", "Request", "RequestData", "Response", "ResponseData"]


class HTTPFlow(Flow):
    """A request and what became of it.

    ``response`` is None until there is one, ``websocket`` is set once the connection speaks WebSocket.
    """

    type = "http"
    PARTS = ("request", "response", "websocket")

    request: Request
    response: Response | None = None
    websocket: WebSocketData | None = None

    @property
    def timestamp_start(self) -> float:
        """When the head of the request was received, in Unix seconds."""
        return self.request.data.timestamp_start

    @property
    def mode(self) -> str:
        """Deprecated: the kind of proxy; ``client_conn.proxy_mode`` says which."""
        return getattr(self, "_mode", "regular")

    @mode.setter
    def mode(self, mode: str) -> None:
        self._mode = mode

    def _parts_state(self) -> dict[str, Any]:
        return {
            "request": self.request.get_state(),
            "response": self.response.get_state() if self.response else None,
            "websocket": self.websocket.get_state() if self.websocket else None,
        }

    def _set_parts(self, state: dict[str, Any]) -> None:
        self.request = Request.from_state(state["request"])
        self.response = Response.from_state(state["response"]) if state["response"] else None
        self.websocket = WebSocketData.from_state(state["websocket"]) if state["websocket"] else None
        replayed = getattr(self, self.is_replay) if self.is_replay in ("request", "response") else None
        if replayed is not None and hasattr(replayed, "is_replay"):  # an older name, where older scripts are loaded
            replayed.is_replay = True

    def __repr__(self) -> str:
        parts = ("request", "response", "websocket", "error", "client_conn", "server_conn")
        lines = [f"\n  {part} = {getattr(self, part)!r}" for part in parts if getattr(self, part, None)]
        return f"<HTTPFlow{''.join(lines)}>"


def is_failed(flow: HTTPFlow) -> bool:
    """Whether the exchange ended with an error instead of a response."""
    return flow.response is None and isinstance(flow.error, Error)
