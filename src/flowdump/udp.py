"""UDP flows: datagrams relayed without interpretation."""

from __future__ import annotations

from flowdump.tcp import RawFlow, RawMessage


class UDPMessage(RawMessage):
    """One datagram. A script may change ``content`` in ``udp_message``, or ``drop()`` it: then it is not forwarded."""

    __slots__ = ("dropped",)

    def __init__(self, from_client: bool, content: bytes, timestamp: float | None = None) -> None:
        super().__init__(from_client, content, timestamp)
        self.dropped = False

    def drop(self) -> None:
        """Do not forward this datagram; it stays in the flow."""
        self.dropped = True


class UDPFlow(RawFlow):
    """Datagrams between one client address and one server; ``messages`` holds them in order."""

    type = "udp"
    MESSAGE = UDPMessage
