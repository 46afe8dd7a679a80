"""``mitmproxy.addons.proxyauth``: the option of that name."""

from flowdump.addons.proxyauth import ProxyAuth

__all__ = ["ProxyAuth"]
