"""TCP flows: a connection relayed without interpretation, as the chunks that passed. UDP flows share the shape."""

from __future__ import annotations

import time
from typing import Any, ClassVar, Self

from flowdump.flow import Flow


class RawMessage:
    """Bytes that passed in one direction. A script may change ``content`` in ``tcp_message`` / ``udp_message``."""

    __slots__ = ("__dict__", "content", "from_client", "timestamp")

    def __init__(self, from_client: bool, content: bytes, timestamp: float | None = None) -> None:
        self.from_client = from_client
        self.content = content
        self.timestamp: float = time.time() if timestamp is None else timestamp

    def get_state(self) -> tuple[Any, ...]:
        return self.from_client, self.content, self.timestamp

    def set_state(self, state: Any) -> None:
        self.from_client, self.content, self.timestamp = state

    @classmethod
    def from_state(cls, state: Any) -> Self:
        return cls(*state)

    def copy(self) -> Self:
        return self.from_state(self.get_state())

    def __repr__(self) -> str:
        return f"{'->' if self.from_client else '<-'} {self.content!r}"


class TCPMessage(RawMessage):
    """A piece of a TCP stream; its borders mean nothing."""

    __slots__ = ()


class RawFlow(Flow):
    """A flow that is a list of messages."""

    PARTS = ("messages",)
    MESSAGE: ClassVar[type[RawMessage]]

    def __init__(self, client_conn: Any, server_conn: Any, live: Any = False) -> None:
        super().__init__(client_conn, server_conn, live)
        self.messages: list[Any] = []

    def _parts_state(self) -> dict[str, Any]:
        return {"messages": [message.get_state() for message in self.messages]}

    def _set_parts(self, state: dict[str, Any]) -> None:
        self.messages = [self.MESSAGE.from_state(message) for message in state["messages"]]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} ({len(self.messages)} messages)>"


class TCPFlow(RawFlow):
    """A relayed TCP connection; ``messages`` holds what passed, in order."""

    type = "tcp"
    MESSAGE = TCPMessage
