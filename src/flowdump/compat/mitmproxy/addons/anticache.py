"""``mitmproxy.addons.anticache``: the option of that name."""

from flowdump.addons.anticache import AntiCache

__all__ = ["AntiCache"]
