"""``mitmproxy.addons.savehar``: flows as a HAR."""

from flowdump.compat.shims.har import SaveHar

__all__ = ["SaveHar"]
