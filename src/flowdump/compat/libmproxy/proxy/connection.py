"""``libmproxy.proxy.connection``: the two ends of a flow."""

from flowdump.connection import Client as ClientConnection
from flowdump.connection import Server as ServerConnection

__all__ = ["ClientConnection", "ServerConnection"]
