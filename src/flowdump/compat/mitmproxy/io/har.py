"""``mitmproxy.io.har``: entries of a HAR as flows."""

from flowdump.compat.shims.har import request_to_flow

__all__ = ["request_to_flow"]
