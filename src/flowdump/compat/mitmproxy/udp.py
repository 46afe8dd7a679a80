"""``mitmproxy.udp``: UDP flows."""

from flowdump.udp import UDPFlow, UDPMessage

__all__ = ["UDPFlow", "UDPMessage"]
