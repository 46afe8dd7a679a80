"""``mitmproxy.addons.cut``: the commands of that name."""

from flowdump.addons.cut import Cut

__all__ = ["Cut"]
