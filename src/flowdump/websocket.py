"""The WebSocket part of an HTTP flow: its messages and how it was closed (RFC 6455)."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

#: Opcodes of data frames (RFC 6455 section 5.2).
TEXT = 1
BINARY = 2


class WebSocketMessage:
    """One message, reassembled from its frames.

    ``type`` is the opcode (1 text, 2 binary); ``content`` is bytes, UTF-8 for text. A script may change ``content`` or
    call ``drop()`` in ``websocket_message``. ``injected`` tells that the message came from a script and not from a
    peer.
    """

    __slots__ = ("__dict__", "content", "dropped", "from_client", "injected", "timestamp", "type")

    def __init__(
        self,
        type: int,
        from_client: bool,
        content: bytes,
        timestamp: float | None = None,
        dropped: bool = False,
        injected: bool = False,
    ) -> None:
        self.type = int(type)
        self.from_client = from_client
        self.content = content
        self.timestamp: float = time.time() if timestamp is None else timestamp
        self.dropped = dropped
        self.injected = injected

    @property
    def is_text(self) -> bool:
        return self.type == TEXT

    @property
    def text(self) -> str:
        """The content of a text message. Raises AttributeError for a binary one."""
        if self.type != TEXT:
            raise AttributeError("a binary WebSocket message has no .text, use .content")
        return self.content.decode("utf-8", "surrogateescape")

    @text.setter
    def text(self, text: str) -> None:
        if self.type != TEXT:
            raise AttributeError("a binary WebSocket message has no .text, use .content")
        self.content = text.encode("utf-8", "surrogateescape")

    def drop(self) -> None:
        """Do not forward this message; it stays in the flow."""
        self.dropped = True

    kill = drop

    def get_state(self) -> tuple[Any, ...]:
        return self.type, self.from_client, self.content, self.timestamp, self.dropped, self.injected

    def set_state(self, state: Any) -> None:
        self.type, self.from_client, self.content, self.timestamp, self.dropped, self.injected = state

    @classmethod
    def from_state(cls, state: Any) -> WebSocketMessage:
        return cls(*state)

    def copy(self) -> WebSocketMessage:
        return self.from_state(self.get_state())

    def __repr__(self) -> str:
        return repr(self.content)

    def __str__(self) -> str:
        return self.text if self.is_text else repr(self.content)


class WebSocketData:
    """``flow.websocket``: the messages so far, and the close frame.

    ``closed_by_client`` is None while the connection is open, and so are ``close_code``, ``close_reason`` and
    ``timestamp_end``.
    """

    def __init__(
        self,
        messages: Iterable[WebSocketMessage] = (),
        closed_by_client: bool | None = None,
        close_code: int | None = None,
        close_reason: str | None = None,
        timestamp_end: float | None = None,
    ) -> None:
        self.messages = list(messages)
        self.closed_by_client = closed_by_client
        self.close_code = close_code
        self.close_reason = close_reason
        self.timestamp_end = timestamp_end

    def get_state(self) -> dict[str, Any]:
        return {
            "messages": [message.get_state() for message in self.messages],
            "closed_by_client": self.closed_by_client,
            "close_code": self.close_code,
            "close_reason": self.close_reason,
            "timestamp_end": self.timestamp_end,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        self.__dict__.update(self.from_state(state).__dict__)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> WebSocketData:
        messages = [WebSocketMessage.from_state(message) for message in state["messages"]]
        closing = (state[key] for key in ("closed_by_client", "close_code", "close_reason", "timestamp_end"))
        return cls(messages, *closing)

    def copy(self) -> WebSocketData:
        return self.from_state(self.get_state())

    def __repr__(self) -> str:
        return f"<WebSocketData ({len(self.messages)} messages)>"
