"""``mitmproxy.proxy.mode_specs``: how traffic comes in."""

from flowdump.compat.shims.modes import LocalMode, TunMode, WireGuardMode
from flowdump.proxy_mode import (
    DnsMode,
    ProxyMode,
    RegularMode,
    ReverseMode,
    Socks5Mode,
    TransparentMode,
    UpstreamMode,
)

__all__ = [
    "DnsMode",
    "LocalMode",
    "ProxyMode",
    "RegularMode",
    "ReverseMode",
    "Socks5Mode",
    "TransparentMode",
    "TunMode",
    "UpstreamMode",
    "WireGuardMode",
]
