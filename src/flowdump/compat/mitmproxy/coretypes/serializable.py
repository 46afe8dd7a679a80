"""``mitmproxy.coretypes.serializable``: what has a state."""

from flowdump.compat.shims.serializable import Serializable

__all__ = ["Serializable"]
