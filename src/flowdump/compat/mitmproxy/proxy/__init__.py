"""``mitmproxy.proxy``: how traffic comes in, and what happens to connections."""

from flowdump.compat.shims.proxy_server import DummyServer, ProxyConfig, ProxyServer

__all__ = ["DummyServer", "ProxyConfig", "ProxyServer"]
