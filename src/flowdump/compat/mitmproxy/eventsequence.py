"""``mitmproxy.eventsequence``: the events of a stored flow."""

from flowdump.compat.shims.hook_objects import iterate

__all__ = ["iterate"]
