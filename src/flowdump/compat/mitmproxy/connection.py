"""``mitmproxy.connection``: the two ends of a flow."""

from flowdump.connection import Address, Client, Connection, ConnectionState, Server, TransportProtocol

__all__ = ["Address", "Client", "Connection", "ConnectionState", "Server", "TransportProtocol"]
