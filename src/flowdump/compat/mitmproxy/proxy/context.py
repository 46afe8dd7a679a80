"""``mitmproxy.proxy.context``: the connections that a TLS event is about."""

from flowdump.compat.shims.tls_data import Context

__all__ = ["Context"]
