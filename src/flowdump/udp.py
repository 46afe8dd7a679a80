"""UDP flows: datagrams relayed without interpretation."""

from __future__ import annotations

from flowdump.tcp import RawFlow, RawMessage


class UDPMessage(RawMessage):
    """One datagram."""

    __slots__ = ()


class UDPFlow(RawFlow):
    """Datagrams between one client address and one server; ``messages`` holds them in order."""

    type = "udp"
    MESSAGE = UDPMessage
