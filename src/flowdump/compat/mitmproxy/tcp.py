"""``mitmproxy.tcp``: TCP flows."""

from flowdump.tcp import TCPFlow, TCPMessage

__all__ = ["TCPFlow", "TCPMessage"]
