"""``mitmproxy.controller``: what flows are answered with, as mitmproxy up to 6 had it."""

from flowdump.compat.shims.controller import Reply, handler

__all__ = ["Reply", "handler"]
