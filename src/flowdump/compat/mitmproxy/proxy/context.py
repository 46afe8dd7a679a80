"""``mitmproxy.proxy.context``: the connections that a TLS event is about."""

from flowdump.hook_data import Context

__all__ = ["Context"]
