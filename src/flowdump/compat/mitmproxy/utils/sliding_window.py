"""``mitmproxy.utils.sliding_window``: neighbours of each item."""

from flowdump.compat.shims.small import window

__all__ = ["window"]
