"""``mitmproxy.websocket``: the WebSocket part of an HTTP flow."""

from flowdump.compat.shims.older_http import WebSocketFlow
from flowdump.websocket import WebSocketData, WebSocketMessage

__all__ = ["WebSocketData", "WebSocketFlow", "WebSocketMessage"]
