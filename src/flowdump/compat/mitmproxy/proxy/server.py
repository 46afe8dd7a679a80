"""``mitmproxy.proxy.server``: what a program gave a ``DumpMaster`` up to mitmproxy 6."""

from flowdump.compat.shims.proxy_server import DummyServer, ProxyServer

__all__ = ["DummyServer", "ProxyServer"]
