"""``mitmproxy.net.http.request``: requests, where they were up to mitmproxy 6."""

from flowdump.http import Request

__all__ = ["Request"]
