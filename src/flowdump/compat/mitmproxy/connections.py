"""``mitmproxy.connections``: the two ends of a flow, as mitmproxy up to 6 called them."""

from flowdump.connection import Client as ClientConnection
from flowdump.connection import Server as ServerConnection

__all__ = ["ClientConnection", "ServerConnection"]
