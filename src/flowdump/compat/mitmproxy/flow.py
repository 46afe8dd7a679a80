"""``mitmproxy.flow``: what flows have in common."""

from flowdump.flow import Error, Flow

__all__ = ["Error", "Flow"]
