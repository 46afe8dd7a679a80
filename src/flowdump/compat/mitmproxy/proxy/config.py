"""``mitmproxy.proxy.config``: what a proxy was made of up to mitmproxy 6."""

from flowdump.compat.shims.proxy_server import ProxyConfig

__all__ = ["ProxyConfig"]
