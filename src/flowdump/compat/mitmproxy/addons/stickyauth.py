"""``mitmproxy.addons.stickyauth``: the option of that name."""

from flowdump.addons.stickyauth import StickyAuth

__all__ = ["StickyAuth"]
