"""``mitmproxy.addons.anticomp``: the option of that name."""

from flowdump.addons.anticomp import AntiComp

__all__ = ["AntiComp"]
