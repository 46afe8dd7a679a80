"""``mitmproxy.proxy.mode_specs``: how traffic comes in."""

from flowdump.proxy_mode import ProxyMode, RegularMode, ReverseMode, Socks5Mode, TransparentMode, UpstreamMode

__all__ = ["ProxyMode", "RegularMode", "ReverseMode", "Socks5Mode", "TransparentMode", "UpstreamMode"]
